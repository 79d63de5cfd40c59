/* Replaces every ${NAME} of a manifest before it is parsed, and maps places of
 * the result back to the file. manifest.c calls interpolate() first; parse.c
 * asks for the places. */
#include "manifest/interpolate.h"

#include <stdint.h>
#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "manifest/manifest.h"
#include "manifest/names.h"

/* True for what YAML does not allow in a file: C0 (except tab, LF, CR), DEL, C1
 * (except NEL), U+FFFE and U+FFFF. libyaml would refuse them too, but without
 * naming the byte. */
static bool is_control(const unsigned char *s)
{
    if (s[0] < 0x20)
        return s[0] != '\t' && s[0] != '\n' && s[0] != '\r';
    if (s[0] == 0xc2)
        return s[1] < 0xa0 && s[1] != 0x85;
    if (s[0] == 0xef && s[1] == 0xbf)
        return s[2] >= 0xbe;
    return s[0] == 0x7f;
}

/* Offset of the first byte that may not be in a manifest, and why; `len` when
 * there is none. */
static size_t find_bad(const char *text, size_t len, const char **why)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0, n;

    while (i < len) {
        n = utf8_len(text + i, len - i);
        if (n == 0) {
            *why = "is not valid UTF-8";
            return i;
        }
        if (is_control(s + i)) {
            *why = s[i] == '\0' ? "is a NUL byte" : "is a control character";
            return i;
        }
        i += n;
    }
    return len;
}

static void find_lines(struct interpolated *src)
{
    const char *s = src->file, *end = src->file + src->file_len;

    *(size_t *)vec_add(&src->lines) = 0;
    while (s < end) {
        const char *nl = memchr(s, '\n', (size_t)(end - s));

        if (nl == NULL)
            break;
        s = nl + 1;
        *(size_t *)vec_add(&src->lines) = (size_t)(s - src->file);
    }
}

/* Line and column of byte `at` of the file. */
static struct diag_pos file_pos(const struct interpolated *src, size_t at)
{
    size_t low = 0, high = src->lines.len;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (src->lines.v[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return (struct diag_pos){ .line = (unsigned)low + 1,
                              .col = (unsigned)(at - src->lines.v[low]) + 1 };
}

static void add_piece(struct interpolated *src, size_t from, bool is_value,
                      const char *text, size_t len)
{
    struct interpolated_piece *piece = vec_add(&src->pieces);

    piece->at = src->text.len;
    piece->from = from;
    piece->is_value = is_value;
    str_add_len(&src->text, text, len);
}

/* The state of one interpolation. */
struct replacer {
    struct interpolated *src;
    const struct env *env;
    struct names unset, used;
    struct diags *errors, *warnings;
    unsigned line; /* the line that in_comment() looked at last */
    bool comment;  /* and its answer */
};

/* True when the line of `pos` is a comment: only blanks come before its "#". A
 * "#" after text is not looked at, since it may be inside quotes. */
static bool in_comment(struct replacer *r, struct diag_pos pos)
{
    const struct interpolated *src = r->src;
    size_t at = src->lines.v[pos.line - 1];

    if (pos.line == r->line)
        return r->comment;
    while (at < src->file_len &&
           (src->file[at] == ' ' || src->file[at] == '\t'))
        at++;
    r->line = pos.line;
    r->comment = at < src->file_len && src->file[at] == '#';
    return r->comment;
}

static void warn_unset(struct replacer *r, size_t at, const char *name)
{
    struct diag_pos pos = file_pos(r->src, at);

    if (in_comment(r, pos) || names_add(&r->unset, name, 0) != NAMES_NEW)
        return;
    diags_add(r->warnings, DIAG_WARNING, pos,
              "%.100s is not set in the app's environment, ${%.100s} is blank"
              "%s",
              name, name,
              strstr(name, ":-") != NULL ? " (Convox knows no ${NAME:-default})"
                                         : "");
}

/* Replaces one ${NAME}, whose `$` is at `at` and whose `}` is at `end`. */
static int replace(struct replacer *r, size_t at, size_t end)
{
    struct interpolated *src = r->src;
    cleanup_free char *name = str_dup_len(src->file + at + 2, end - at - 2);
    const char *value = r->env == NULL ? NULL : env_get(r->env, name);
    const char *why = NULL;
    size_t len = value == NULL ? 0 : strlen(value);

    if (value == NULL) {
        warn_unset(r, at, name);
    } else if (find_bad(value, len, &why) < len) {
        diags_add(r->errors, DIAG_ERROR, file_pos(src, at),
                  "a byte of the value of %.100s %s", name, why);
        return -1;
    } else if (names_add(&r->used, name, 0) == NAMES_NEW) {
        strv_add(&src->used, name);
    }
    if (len > INTERPOLATED_MAX - src->text.len) {
        diags_add(r->errors, DIAG_ERROR, file_pos(src, at),
                  "with the values of ${...} the manifest is larger than "
                  "%zu MB",
                  INTERPOLATED_MAX >> 20);
        return -1;
    }
    add_piece(src, at, true, value == NULL ? "" : value, len);
    return 0;
}

/* Offset of the next `}`, or of the end of the line or file. */
static size_t find_close(const struct interpolated *src, size_t at)
{
    while (at < src->file_len && src->file[at] != '\n' && src->file[at] != '}')
        at++;
    return at;
}

static int replace_all(struct replacer *r)
{
    struct interpolated *src = r->src;
    size_t done = 0, at = 0;
    int rc = 0;

    while (rc == 0 && at + 1 < src->file_len) {
        const char *dollar = memchr(src->file + at, '$', src->file_len - at);
        size_t start;

        if (dollar == NULL)
            break;
        start = (size_t)(dollar - src->file);
        at = start + 1;
        if (at == src->file_len || src->file[at] != '{')
            continue;
        at = find_close(src, at + 1);
        if (at == src->file_len || src->file[at] != '}')
            continue;
        add_piece(src, done, false, src->file + done, start - done);
        rc = replace(r, start, at);
        done = ++at;
    }
    add_piece(src, done, false, src->file + done, src->file_len - done);
    return rc;
}

int interpolate(struct interpolated *src, const char *file, size_t len,
                const struct env *env, struct diags *errors,
                struct diags *warnings)
{
    struct replacer r = {
        .src = src, .env = env, .errors = errors, .warnings = warnings
    };
    const char *why = NULL;
    size_t bad;
    int rc;

    *src = (struct interpolated){ .file = file, .file_len = len };
    if (len > MANIFEST_MAX) {
        diags_add(errors, DIAG_ERROR, (struct diag_pos){ 0 },
                  "the manifest is larger than %zu MB", MANIFEST_MAX >> 20);
        return -1;
    }
    find_lines(src);
    if (len >= 2 && (memcmp(file, "\xff\xfe", 2) == 0 ||
                     memcmp(file, "\xfe\xff", 2) == 0)) {
        diags_add(errors, DIAG_ERROR, file_pos(src, 0),
                  "the manifest is UTF-16, save it as UTF-8");
        return -1;
    }
    bad = find_bad(file, len, &why);
    if (bad < len) {
        diags_add(errors, DIAG_ERROR, file_pos(src, bad),
                  "byte 0x%02x %s, a manifest is UTF-8 text",
                  (unsigned)(unsigned char)file[bad], why);
        return -1;
    }
    rc = replace_all(&r);
    names_release(&r.unset);
    names_release(&r.used);
    return rc;
}

/* The piece that contains byte `at` of the new text. */
static const struct interpolated_piece *
find_piece(const struct interpolated *src, size_t at)
{
    size_t low = 0, high = src->pieces.len;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (src->pieces.v[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return &src->pieces.v[low];
}

static size_t file_offset(const struct interpolated *src, size_t at)
{
    const struct interpolated_piece *piece = find_piece(src, at);

    return piece->is_value ? piece->from : piece->from + (at - piece->at);
}

struct diag_pos interpolated_pos(const struct interpolated *src, size_t at)
{
    return file_pos(src, file_offset(src, at));
}

char *interpolated_written(const struct interpolated *src, size_t from,
                           size_t to)
{
    const struct interpolated_piece *piece = find_piece(src, from);
    const struct interpolated_piece *last =
        find_piece(src, to > from ? to - 1 : to);
    size_t start, end;

    if (piece == last && !piece->is_value)
        return NULL;
    start = file_offset(src, from);
    end = file_offset(src, to > from ? to - 1 : to) + 1;
    if (last->is_value)
        end = find_close(src, last->from) + 1;
    return str_dup_len(src->file + start, end > start ? end - start : 0);
}

void interpolated_release(struct interpolated *src)
{
    str_release(&src->text);
    strv_release(&src->used);
    free(src->pieces.v);
    free(src->lines.v);
    *src = (struct interpolated){ 0 };
}
