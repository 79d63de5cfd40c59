/* The first message to a database and the judgement of its answer, one protocol
 * after the other. Called by ready.c for every attempt; does no I/O. */
#include "probe/handshake.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* A StartupMessage: its length (31), protocol 3.0, two pairs of strings, and an
 * empty name as the end. The literal's own NUL is the last byte. */
static const char postgres_startup[] = "\0\0\0\x1f\0\3\0\0"
                                       "user\0app\0"
                                       "database\0app\0";
static const char redis_ping[] = "PING\r\n";
static const char memcached_version[] = "version\r\n";

const char *handshake_question(enum plan_probe probe, size_t *len)
{
    switch (probe) {
    case PROBE_POSTGRES:
        *len = sizeof(postgres_startup);
        return postgres_startup;
    case PROBE_REDIS:
        *len = sizeof(redis_ping) - 1;
        return redis_ping;
    case PROBE_MEMCACHED:
        *len = sizeof(memcached_version) - 1;
        return memcached_version;
    case PROBE_MYSQL:
    case PROBE_NONE:
        break;
    }
    *len = 0;
    return "";
}

/* The server answers, but is not ready: `why` becomes the first line of `text`,
 * made printable. */
static enum handshake not_yet(const char *text, size_t len, char *why,
                              size_t why_size)
{
    size_t n = 0;

    while (n < len && n + 1 < why_size && text[n] != '\0' && text[n] != '\n' &&
           text[n] != '\r') {
        why[n] = text[n];
        if ((unsigned char)text[n] < 0x20 || text[n] == 0x7f)
            why[n] = '?';
        n++;
    }
    why[n] = '\0';
    return HANDSHAKE_NOT_YET;
}

/* What answers speaks another protocol. */
static enum handshake strange(const char *name, char *why, size_t why_size)
{
    snprintf(why, why_size, "the answer is not from a %s server", name);
    return HANDSHAKE_NOT_YET;
}

static bool begins(const char *data, size_t len, const char *prefix)
{
    size_t n = strlen(prefix);

    return len >= n && memcmp(data, prefix, n) == 0;
}

/* Is `data` the beginning of `prefix`, or `prefix` that of `data`? */
static bool may_begin(const char *data, size_t len, const char *prefix)
{
    size_t n = strlen(prefix);

    return memcmp(data, prefix, len < n ? len : n) == 0;
}

/* The field of this type in an ErrorResponse; "" when there is none. A field is
 * a byte for its type and a string. */
static const char *error_field(const char *fields, size_t len, char type,
                               size_t *field_len)
{
    const char *end = fields + len;

    while (fields < end && *fields != '\0') {
        const char *text = fields + 1;
        const char *nul = memchr(text, '\0', (size_t)(end - text));

        if (nul == NULL)
            break;
        if (*fields == type) {
            *field_len = (size_t)(nul - text);
            return text;
        }
        fields = nul + 1;
    }
    *field_len = 0;
    return "";
}

/* SQLSTATE 57P01 to 57P03: the server starts or stops. Any other error comes
 * from a server that is up. */
static enum handshake postgres_error(const char *fields, size_t len, char *why,
                                     size_t why_size)
{
    size_t code_len, text_len;
    const char *code = error_field(fields, len, 'C', &code_len);
    const char *text = error_field(fields, len, 'M', &text_len);

    if (code_len == 5 && memcmp(code, "57P0", 4) == 0 && code[4] >= '1' &&
        code[4] <= '3')
        return not_yet(text, text_len, why, why_size);
    return code_len == 5 ? HANDSHAKE_READY : strange("postgres", why, why_size);
}

static uint32_t big_endian(const char *data)
{
    const unsigned char *d = (const unsigned char *)data;

    return (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 |
           (uint32_t)d[3];
}

static enum handshake postgres(const char *data, size_t len, char *why,
                               size_t why_size)
{
    uint32_t size;

    if (data[0] != 'R' && data[0] != 'E')
        return strange("postgres", why, why_size);
    if (len < 5)
        return HANDSHAKE_MORE;
    size = big_endian(data + 1);
    /* A server that cannot fork answers as in protocol 2, with plain text
     * behind the 'E': read as a length, text is a very large number. */
    if (data[0] == 'E' && size > 30000) {
        if (memchr(data, '\n', len) == NULL && len < HANDSHAKE_MAX)
            return HANDSHAKE_MORE;
        return not_yet(data + 1, len - 1, why, why_size);
    }
    if (size < 8 || size > 30000)
        return strange("postgres", why, why_size);
    if (data[0] == 'R')
        return HANDSHAKE_READY;
    if (len < 1 + (size_t)size && len < HANDSHAKE_MAX)
        return HANDSHAKE_MORE;
    if (len > 1 + (size_t)size)
        len = 1 + (size_t)size;
    return postgres_error(data + 5, len - 5, why, why_size);
}

static enum handshake mysql(const char *data, size_t len, char *why,
                            size_t why_size)
{
    size_t size;

    if (len < 5)
        return HANDSHAKE_MORE;
    if (data[4] == 0x0a)
        return HANDSHAKE_READY;
    if ((unsigned char)data[4] != 0xff)
        return strange("mysql", why, why_size);
    size = 4 + ((size_t)(unsigned char)data[0] | (size_t)(unsigned char)data[1]
                                                     << 8);
    if (len < size && len < HANDSHAKE_MAX)
        return HANDSHAKE_MORE;
    if (len > size)
        len = size;
    /* An error is 0xff, two bytes of code, and text. Before a login no SQLSTATE
     * stands in between. */
    return len > 7 ? not_yet(data + 7, len - 7, why, why_size)
                   : strange("mysql", why, why_size);
}

/* Is the first line whole, or so long that we do not wait for its end? */
static bool has_line(const char *data, size_t len)
{
    return memchr(data, '\n', len) != NULL || len >= HANDSHAKE_MAX;
}

static enum handshake redis(const char *data, size_t len, char *why,
                            size_t why_size)
{
    static const char *const ready[] = { "+PONG", "-NOAUTH", "-NOPERM" };
    bool undecided = false;

    for (size_t i = 0; i < sizeof(ready) / sizeof(*ready); i++) {
        if (begins(data, len, ready[i]))
            return HANDSHAKE_READY;
        undecided = undecided || may_begin(data, len, ready[i]);
    }
    if (data[0] != '-' && !undecided)
        return strange("redis", why, why_size);
    if (!has_line(data, len))
        return HANDSHAKE_MORE;
    return not_yet(data + 1, len - 1, why, why_size);
}

static enum handshake memcached(const char *data, size_t len, char *why,
                                size_t why_size)
{
    static const char version[] = "VERSION ";
    static const char login[] = "CLIENT_ERROR unauthenticated";

    if (begins(data, len, version) || begins(data, len, login))
        return HANDSHAKE_READY;
    if (may_begin(data, len, version) || may_begin(data, len, login))
        return HANDSHAKE_MORE;
    if (!begins(data, len, "SERVER_ERROR"))
        return may_begin(data, len, "SERVER_ERROR")
                   ? HANDSHAKE_MORE
                   : strange("memcached", why, why_size);
    return has_line(data, len) ? not_yet(data, len, why, why_size)
                               : HANDSHAKE_MORE;
}

enum handshake handshake_answer(enum plan_probe probe, const char *data,
                                size_t len, char *why, size_t why_size)
{
    if (probe == PROBE_NONE)
        return HANDSHAKE_READY;
    if (len == 0)
        return HANDSHAKE_MORE;
    if (probe == PROBE_POSTGRES)
        return postgres(data, len, why, why_size);
    if (probe == PROBE_MYSQL)
        return mysql(data, len, why, why_size);
    if (probe == PROBE_REDIS)
        return redis(data, len, why, why_size);
    return memcached(data, len, why, why_size);
}
