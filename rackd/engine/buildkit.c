/* Reads BuildKit's progress messages, with a small protobuf reader of its own:
 * five fields of three messages are all that is needed. build.c feeds it. */
#include "engine/buildkit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#include "base/mem.h"
#include "base/str.h"

/* More steps are not shown; a build has tens of them. */
#define VERTICES_MAX 10000
#define DIGEST_MAX   ((size_t)256)

/* A step ("vertex") of the build, and what has been shown of it. */
struct vertex {
    char *digest;
    bool started, cached, failed;
    struct lines log;
    UT_hash_handle hh;
};

struct buildkit {
    struct vertex *vertices;
    lines_cb cb;
    void *user;
};

/* A message that is being read, and the field that was read last. */
struct pb {
    const uint8_t *at, *end;
    uint32_t field;
    uint64_t number;      /* value of a varint field */
    const uint8_t *bytes; /* value of a field with a length */
    size_t len;
};

/* ---- protobuf ------------------------------------------------------------ */

static bool pb_varint(struct pb *pb, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && pb->at < pb->end; shift += 7) {
        uint8_t byte = *pb->at++;

        *out |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return true;
    }
    return false;
}

static bool pb_skip(struct pb *pb, size_t len)
{
    if (len > (size_t)(pb->end - pb->at))
        return false;
    pb->at += len;
    return true;
}

/* Reads the next field; false at the end, and at anything that is not
 * protobuf. */
static bool pb_next(struct pb *pb)
{
    uint64_t key, len;

    if (pb->at == pb->end || !pb_varint(pb, &key))
        return false;
    pb->field = (uint32_t)(key >> 3);
    pb->number = 0;
    pb->bytes = NULL;
    pb->len = 0;
    switch (key & 7) {
    case 0:
        return pb_varint(pb, &pb->number);
    case 1:
        return pb_skip(pb, 8);
    case 2:
        if (!pb_varint(pb, &len) || len > SIZE_MAX)
            return false;
        pb->bytes = pb->at;
        pb->len = (size_t)len;
        return pb_skip(pb, pb->len);
    case 5:
        return pb_skip(pb, 4);
    default:
        return false;
    }
}

static struct pb pb_of(const uint8_t *bytes, size_t len)
{
    return (struct pb){ .at = bytes, .end = bytes + len };
}

/* ---- vertices ------------------------------------------------------------ */

struct buildkit *buildkit_new(lines_cb cb, void *user)
{
    struct buildkit *b = xcalloc(1, sizeof(*b));

    b->cb = cb;
    b->user = user;
    return b;
}

static struct vertex *find(struct buildkit *b, const uint8_t *digest,
                           size_t len)
{
    struct vertex *v;

    HASH_FIND(hh, b->vertices, digest, len, v);
    if (v != NULL || len == 0 || len > DIGEST_MAX ||
        HASH_COUNT(b->vertices) >= VERTICES_MAX)
        return v;
    v = xcalloc(1, sizeof(*v));
    v->digest = str_dup_len((const char *)digest, len);
    HASH_ADD_KEYPTR(hh, b->vertices, v->digest, len, v);
    return v;
}

static bool say(struct buildkit *b, const char *before, const char *name,
                const char *after)
{
    cleanup_free char *line = xasprintf("%s%s%s", before, name, after);

    /* The name of a step with a here-document has several lines; the first one
     * is enough. */
    line[strcspn(line, "\r\n")] = '\0';
    return b->cb(line, strlen(line), b->user);
}

/* True for steps of BuildKit itself, such as reading the Dockerfile or
 * unpacking the context. */
static bool is_internal(const char *name)
{
    return str_starts(name, "[internal]") ||
           strcmp(name, "copy /context /") == 0;
}

/* Fields of a Vertex: 1 digest, 3 name, 4 cached, 5 started, 7 error. */
static bool read_vertex(struct buildkit *b, const uint8_t *bytes, size_t len)
{
    struct pb pb = pb_of(bytes, len);
    cleanup_free char *name = NULL, *error = NULL;
    bool started = false, cached = false, more = true;
    struct vertex *v = NULL;
    bool internal;

    while (pb_next(&pb)) {
        if (pb.field == 1) {
            v = find(b, pb.bytes, pb.len);
        } else if (pb.field == 3) {
            free(name);
            name = str_dup_len((const char *)pb.bytes, pb.len);
        } else if (pb.field == 4) {
            cached = pb.number != 0;
        } else if (pb.field == 5) {
            started = true;
        } else if (pb.field == 7) {
            free(error);
            error = str_dup_len((const char *)pb.bytes, pb.len);
        }
    }
    if (v == NULL || name == NULL)
        return true;
    internal = is_internal(name);
    if (cached && !v->cached && !internal)
        more = say(b, "CACHED ", name, "");
    else if (started && !cached && !v->started && !internal)
        more = say(b, "", name, "");
    v->started = v->started || started;
    v->cached = v->cached || cached;
    if (more && error != NULL && *error != '\0' && !v->failed) {
        cleanup_free char *after = xasprintf(": %s", error);

        v->failed = true;
        more = lines_flush(&v->log, b->cb, b->user) &&
               say(b, "ERROR ", name, after);
    }
    return more;
}

/* Fields of a VertexLog: 1 digest of its vertex, 4 bytes of output. */
static bool read_log(struct buildkit *b, const uint8_t *bytes, size_t len)
{
    struct pb pb = pb_of(bytes, len);
    struct vertex *v = NULL;
    const uint8_t *text = NULL;
    size_t text_len = 0;

    while (pb_next(&pb)) {
        if (pb.field == 1) {
            v = find(b, pb.bytes, pb.len);
        } else if (pb.field == 4) {
            text = pb.bytes;
            text_len = pb.len;
        }
    }
    if (v == NULL || text == NULL)
        return true;
    return lines_feed(&v->log, (const char *)text, text_len, b->cb, b->user);
}

/* Fields of a StatusResponse: 1 vertexes, 3 logs. */
bool buildkit_feed(struct buildkit *b, const char *data, size_t len)
{
    struct pb pb = pb_of((const uint8_t *)data, len);
    bool more = true;

    while (more && pb_next(&pb)) {
        if (pb.bytes == NULL)
            continue;
        if (pb.field == 1)
            more = read_vertex(b, pb.bytes, pb.len);
        else if (pb.field == 3)
            more = read_log(b, pb.bytes, pb.len);
    }
    return more;
}

bool buildkit_flush(struct buildkit *b)
{
    struct vertex *v, *next;

    HASH_ITER (hh, b->vertices, v, next) {
        if (!lines_flush(&v->log, b->cb, b->user))
            return false;
    }
    return true;
}

void buildkit_free(struct buildkit *b)
{
    struct vertex *v, *next;

    if (b == NULL)
        return;
    v = b->vertices;
    /* HASH_CLEAR frees the table; its items stay linked. */
    HASH_CLEAR(hh, b->vertices);
    for (; v != NULL; v = next) {
        next = v->hh.next;
        lines_release(&v->log);
        free(v->digest);
        free(v);
    }
    free(b);
}
