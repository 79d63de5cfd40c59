/*
 * HTTP/1.x messages out of bytes, by llhttp. The server feeds it requests, and
 * streams to the engine feed it the one answer that comes before raw bytes.
 */
#include "net/httphead.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/percent.h"
#include "base/vec.h"

static struct httphead *head_of(llhttp_t *parser)
{
    return container_of(parser, struct httphead, parser);
}

/* Called by llhttp, in order of the message. */

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    str_add_len(&head_of(parser)->target, at, len);
    return 0;
}

static void end_value(struct httphead *h)
{
    struct httphead_fields *f = &h->headers;

    if (!h->in_value)
        return;
    while (f->text.len > f->v[f->len - 1].value &&
           isblank((unsigned char)f->text.s[f->text.len - 1]))
        str_cut(&f->text, f->text.len - 1);
    str_add_char(&f->text, '\0');
    h->in_value = false;
}

/* Names and values come in pieces, as the bytes were fed. */
static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct httphead *h = head_of(parser);
    struct httphead_fields *f = &h->headers;

    if (h->head_done)
        return 0; /* a trailer: of no use to anybody here */
    end_value(h);
    if (!h->in_name) {
        if (f->len == HTTPHEAD_FIELDS_MAX) {
            h->too_many = true;
            return -1;
        }
        vec_add(f)->name = f->text.len;
        h->in_name = true;
    }
    str_add_len(&f->text, at, len);
    return 0;
}

static int on_name_end(llhttp_t *parser)
{
    struct httphead *h = head_of(parser);
    struct httphead_fields *f = &h->headers;

    if (h->head_done)
        return 0;
    if (!h->in_name || f->v[f->len - 1].name == f->text.len)
        return -1; /* ": value", which llhttp lets through */
    str_add_char(&f->text, '\0');
    f->v[f->len - 1].value = f->text.len;
    h->in_name = false;
    h->in_value = true;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct httphead *h = head_of(parser);

    if (h->in_value)
        str_add_len(&h->headers.text, at, len);
    return 0;
}

static int on_head(llhttp_t *parser)
{
    struct httphead *h = head_of(parser);

    end_value(h);
    h->head_done = true;
    h->status = parser->status_code;
    h->is_1_0 = parser->http_minor == 0;
    h->keep_alive = llhttp_should_keep_alive(parser);
    if (parser->http_major != 1)
        return -1;
    if (h->type == HTTPHEAD_REQUEST) {
        h->method = llhttp_method_name((llhttp_method_t)parser->method);
        h->body_too_large = parser->content_length > h->body_max;
        h->has_body =
            (parser->flags & F_CHUNKED) != 0 || parser->content_length > 0;
        h->asks_upgrade = parser->upgrade != 0 && !h->is_1_0;
        if (parser->method == HTTP_CONNECT)
            return -1;
    }
    return HPE_PAUSED; /* httphead_feed() goes on */
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct httphead *h = head_of(parser);

    if (!h->streams && len > h->body_max - h->body.len) {
        h->body_too_large = true;
        return -1;
    }
    str_add_len(&h->body, at, len);
    return 0;
}

static int on_done(llhttp_t *parser)
{
    head_of(parser)->done = true;
    return HPE_PAUSED; /* what follows is the next message's */
}

void httphead_init(struct httphead *h, enum httphead_type type, size_t head_max,
                   size_t body_max)
{
    *h = (struct httphead){ .type = type,
                            .head_max = head_max,
                            .body_max = body_max };
    llhttp_settings_init(&h->settings);
    h->settings.on_url = on_url;
    h->settings.on_header_field = on_name;
    h->settings.on_header_field_complete = on_name_end;
    h->settings.on_header_value = on_value;
    h->settings.on_headers_complete = on_head;
    h->settings.on_body = on_body;
    h->settings.on_message_complete = on_done;
    llhttp_init(&h->parser,
                type == HTTPHEAD_REQUEST ? HTTP_REQUEST : HTTP_RESPONSE,
                &h->settings);
}

void httphead_reset(struct httphead *h)
{
    enum httphead_type type = h->type;
    size_t head_max = h->head_max, body_max = h->body_max;

    httphead_release(h);
    httphead_init(h, type, head_max, body_max);
}

void httphead_release(struct httphead *h)
{
    str_release(&h->target);
    str_release(&h->body);
    httphead_fields_release(&h->headers);
}

/*
 * A header line that begins with a blank continues the one before. Hardly
 * anybody sends that, and readers that disagree about it can be played off
 * against each other: refused. llhttp would let it through.
 */
static bool has_fold(struct httphead *h, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (h->last == '\n' && (data[i] == ' ' || data[i] == '\t'))
            return true;
        h->last = data[i];
    }
    return false;
}

static enum httphead_step bad(const struct httphead *h)
{
    if (h->body_too_large)
        return HTTPHEAD_BODY_TOO_LARGE;
    return h->too_many ? HTTPHEAD_HEAD_TOO_LARGE : HTTPHEAD_BAD;
}

/* One go of llhttp: 0 when it took everything and wants more, 1 when one of
 * our callbacks stopped it, -1 when it found an error. */
static int execute(struct httphead *h, const char *data, size_t len,
                   size_t *used)
{
    llhttp_errno_t rc = llhttp_execute(&h->parser, data, len);

    *used = len;
    if (rc == HPE_OK)
        return 0;
    if (rc != HPE_PAUSED)
        return -1;
    *used = (size_t)(llhttp_get_error_pos(&h->parser) - data);
    llhttp_resume(&h->parser);
    return 1;
}

static enum httphead_step feed_head(struct httphead *h, const char *data,
                                    size_t len, size_t *used)
{
    size_t max = h->head_max - h->head_len;
    int stopped = execute(h, data, len < max ? len : max, used);

    h->head_len += *used;
    if (stopped < 0)
        return bad(h);
    if (has_fold(h, data, *used))
        return HTTPHEAD_BAD;
    if (stopped > 0)
        return HTTPHEAD_HEAD;
    return h->head_len == h->head_max ? HTTPHEAD_HEAD_TOO_LARGE : HTTPHEAD_MORE;
}

enum httphead_step httphead_feed(struct httphead *h, const char *data,
                                 size_t len, size_t *used)
{
    int stopped;

    *used = 0;
    if (!h->head_done)
        return feed_head(h, data, len, used);
    if (h->body_too_large)
        return HTTPHEAD_BODY_TOO_LARGE;
    stopped = execute(h, data, len, used);
    if (stopped < 0)
        return bad(h);
    return stopped > 0 ? HTTPHEAD_DONE : HTTPHEAD_MORE;
}

void httphead_stream(struct httphead *h)
{
    h->streams = true;
    h->body_too_large = false;
}

enum httphead_step httphead_eof(struct httphead *h)
{
    if (h->head_done && !h->done)
        llhttp_finish(&h->parser);
    return h->done ? HTTPHEAD_DONE : HTTPHEAD_BAD;
}

const char *httphead_field(const struct httphead_fields *fields,
                           const char *name, bool any_case)
{
    for (size_t i = 0; i < fields->len; i++) {
        const char *n = fields->text.s + fields->v[i].name;

        if ((any_case ? strcasecmp(n, name) : strcmp(n, name)) == 0)
            return fields->text.s + fields->v[i].value;
    }
    return NULL;
}

const char *httphead_header(const struct httphead *h, const char *name)
{
    return httphead_field(&h->headers, name, true);
}

void httphead_fields_release(struct httphead_fields *fields)
{
    str_release(&fields->text);
    free(fields->v);
    fields->v = NULL;
    fields->len = fields->cap = 0;
}

/* Append a name or a value, and the NUL that ends it. */
static bool unescape(struct str *out, const char *text, size_t len)
{
    if (!percent_decode(out, text, len, PERCENT_FORM))
        return false;
    str_add_char(out, '\0');
    return true;
}

static bool add_parameter(struct httphead_fields *form, const char *text,
                          size_t len)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - text) : len;
    size_t rest = equals != NULL ? name_len + 1 : len;
    struct httphead_field *f;

    if (len == 0)
        return true;
    if (form->len == HTTPHEAD_FIELDS_MAX)
        return false;
    f = vec_add(form);
    f->name = form->text.len;
    if (!unescape(&form->text, text, name_len))
        return false;
    f->value = form->text.len;
    return unescape(&form->text, text + rest, len - rest);
}

bool httphead_form(struct httphead_fields *out, const char *text, size_t len)
{
    while (len > 0) {
        const char *amp = memchr(text, '&', len);
        size_t some = amp != NULL ? (size_t)(amp - text) : len;

        if (!add_parameter(out, text, some))
            return false;
        some += amp != NULL;
        text += some;
        len -= some;
    }
    return true;
}

/* "http://HOST/PATH" says the same as "/PATH". */
static const char *skip_authority(const char *target)
{
    const char *slashes = strstr(target, "://");

    if (target[0] == '/' || slashes == NULL)
        return target;
    return strchr(slashes + 3, '/');
}

bool httphead_target(const char *target, struct str *raw, struct str *path,
                     struct httphead_fields *query)
{
    const char *at = skip_authority(target);
    size_t len;

    if (at == NULL || at[0] != '/' || strchr(at, '#') != NULL)
        return false;
    len = strcspn(at, "?");
    str_add_len(raw, at, len);
    if (!percent_decode(path, at, len, PERCENT_PATH))
        return false;
    at += len;
    return at[0] == '\0' || httphead_form(query, at + 1, strlen(at + 1));
}
