/* Takes connection URLs apart. resources.c does so with a NAME_URL that the
 * app's environment gives, and mask.c to find passwords. */
#include "plan/url.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"

/* Characters that end the host part of a URL, or the URL itself. */
#define AUTHORITY_END "/?# \t\r\n\"'"

static char *decode(const char *text, size_t len)
{
    struct str out = { 0 };

    percent_decode_lenient(&out, text, len);
    return str_take(&out);
}

/* True for "host" and "host:5432": after the colon comes a number, so that this
 * is not a login. */
static bool is_host_port(const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);

    if (colon == NULL || *text == '[')
        return true;
    for (colon++; colon < text + len; colon++)
        if (!isdigit((unsigned char)*colon))
            return false;
    return true;
}

static const char *last_at(const char *text, size_t len)
{
    return memrchr(text, '@', len);
}

size_t url_login_len(const char *text)
{
    size_t len = strcspn(text, AUTHORITY_END);
    const char *at = last_at(text, len);

    if (at != NULL)
        return (size_t)(at - text);
    /* The password may contain an unescaped '/', '?' or '#' ("me:a/b@host"):
     * look for the '@' further on. */
    if (is_host_port(text, len))
        return 0;
    at = last_at(text, strcspn(text, " \t\r\n\"'"));
    return at == NULL ? 0 : (size_t)(at - text);
}

static void replace(char **field, const char *text, size_t len)
{
    free(*field);
    *field = decode(text, len);
}

static void take_port(struct url *u, const char *text, size_t len)
{
    cleanup_free char *copy = str_dup_len(text, len);
    long port;

    if (str_to_long(copy, 1, 65535, &port))
        u->port = (int)port;
}

static void take_login(struct url *u, const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    size_t user_len = colon == NULL ? len : (size_t)(colon - text);

    replace(&u->user, text, user_len);
    if (colon != NULL)
        replace(&u->pass, colon + 1, len - user_len - 1);
}

/* Reads "host", "host:port", "[::1]:port", "::1", or several with commas, of
 * which the first counts. */
static void take_host(struct url *u, const char *text, size_t len)
{
    const char *comma = memchr(text, ',', len), *end = text + len, *colon;

    if (comma != NULL)
        end = comma;
    if (*text == '[') {
        const char *close = memchr(text, ']', (size_t)(end - text));

        if (close != NULL) {
            replace(&u->host, text + 1, (size_t)(close - text) - 1);
            if (close + 1 < end && close[1] == ':')
                take_port(u, close + 2, (size_t)(end - close) - 2);
            return;
        }
    }
    colon = memchr(text, ':', (size_t)(end - text));
    if (colon != NULL && memrchr(text, ':', (size_t)(end - text)) == colon) {
        take_port(u, colon + 1, (size_t)(end - colon) - 1);
        end = colon;
    }
    replace(&u->host, text, (size_t)(end - text));
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

static void take_parameter(struct url *u, const char *text, size_t len)
{
    const char *eq = memchr(text, '=', len);
    size_t key_len;

    if (eq == NULL)
        return;
    key_len = (size_t)(eq - text);
    len -= key_len + 1;
    if (is_word(text, key_len, "user") && *u->user == '\0')
        replace(&u->user, eq + 1, len);
    else if (is_word(text, key_len, "password") && *u->pass == '\0')
        replace(&u->pass, eq + 1, len);
    else if (is_word(text, key_len, "host") && *u->host == '\0')
        replace(&u->host, eq + 1, len);
    else if (is_word(text, key_len, "dbname") && *u->name == '\0')
        replace(&u->name, eq + 1, len);
    else if (is_word(text, key_len, "port") && u->port == 0)
        take_port(u, eq + 1, len);
}

static void take_query(struct url *u, const char *text)
{
    size_t left = strcspn(text, "#");

    while (left > 0) {
        const char *amp = memchr(text, '&', left);
        size_t len = amp == NULL ? left : (size_t)(amp - text);

        take_parameter(u, text, len);
        if (amp == NULL)
            return;
        text += len + 1;
        left -= len + 1;
    }
}

static const char *take_scheme(struct url *u, const char *text)
{
    const char *sep;

    while (isspace((unsigned char)*text))
        text++;
    if (strncasecmp(text, "jdbc:", 5) == 0)
        text += 5;
    sep = strstr(text, "://");
    if (sep == NULL)
        return text;
    replace(&u->scheme, text, (size_t)(sep - text));
    return sep + 3;
}

bool url_parse(const char *text, struct url *u)
{
    size_t len;

    *u = (struct url){ .scheme = xstrdup(""),
                       .user = xstrdup(""),
                       .pass = xstrdup(""),
                       .host = xstrdup(""),
                       .name = xstrdup("") };
    text = take_scheme(u, text);
    len = url_login_len(text);
    if (len > 0 || *text == '@') {
        take_login(u, text, len);
        text += len + 1;
    }
    len = strcspn(text, AUTHORITY_END);
    take_host(u, text, len);
    text += len;
    if (*text == '/') {
        len = strcspn(++text, "?# \t\r\n");
        replace(&u->name, text, len);
        text += len;
    }
    if (*text == '?')
        take_query(u, text + 1);
    return *u->host != '\0';
}

void url_release(struct url *u)
{
    free(u->scheme);
    free(u->user);
    free(u->pass);
    free(u->host);
    free(u->name);
    *u = (struct url){ 0 };
}
