#include "tests/bench/floor_calls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/http.h"

#define CALL_MS 120000

/* ---- one call -------------------------------------------------------------
 */

static int dial(const char *path, struct err *err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(addr.sun_path))
        return err_set(err, ERR_INVALID, "socket path too long: %s", path);
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
        return fd;
    err_set(err, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int send_call(struct http *h, const struct floor_rack *r,
                     const char *method, const char *path, const cJSON *body,
                     struct err *err)
{
    int fd = dial(r->socket, err), rc;
    char *text;

    if (fd < 0)
        return -1;
    http_attach(h, fd);
    text = body == NULL ? NULL : cJSON_PrintUnformatted(body);
    rc = http_send(h, method, path, text, text == NULL ? 0 : strlen(text), err);
    cJSON_free(text);
    return rc;
}

static int refused(const struct http *h, const char *method, const char *path,
                   struct err *err)
{
    return err_set(err, ERR_PROTOCOL, "%s %s: status %d: %.300s", method, path,
                   h->status, str_c(&h->body));
}

/* The answer's JSON in `out`, if anybody wants it. */
static int call(const struct floor_rack *r, const char *method,
                const char *path, const cJSON *body, cJSON **out,
                struct err *err)
{
    cleanup_http struct http h = { .fd = -1 };

    if (send_call(&h, r, method, path, body, err) < 0 ||
        http_finish(&h, CALL_MS, err) < 0)
        return err_wrap(err, "%s %s", method, path);
    if (h.status >= 400)
        return refused(&h, method, path, err);
    if (out != NULL)
        *out = cJSON_Parse(str_c(&h.body));
    return 0;
}

/* POST /containers/ID/VERB */
static int post(const struct floor_rack *r, const struct floor_subject *s,
                const char *verb, struct err *err)
{
    cleanup_free char *path = NULL;

    if (s->id == NULL)
        return err_set(err, ERR_INVALID, "%s: there is no container", verb);
    path = xasprintf("/v1.41/containers/%s/%s", s->id, verb);
    return call(r, "POST", path, NULL, NULL, err);
}

/* ---- what is asked --------------------------------------------------------
 */

/* NOLINTBEGIN(misc-no-recursion): as deep as the command line's JSON. */
/* Objects are laid over objects, anything else replaces. */
static void lay_over(cJSON *under, const cJSON *over)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, over)
    {
        cJSON *old = cJSON_GetObjectItemCaseSensitive(under, item->string);

        if (cJSON_IsObject(old) && cJSON_IsObject(item))
            lay_over(old, item);
        else if (old != NULL)
            cJSON_ReplaceItemInObjectCaseSensitive(under, item->string,
                                                   cJSON_Duplicate(item, 1));
        else
            cJSON_AddItemToObject(under, item->string,
                                  cJSON_Duplicate(item, 1));
    }
}
/* NOLINTEND(misc-no-recursion) */

/* A network that is there, or a mode that is none. */
static bool is_engines(const char *name)
{
    return strcmp(name, "bridge") == 0 || strcmp(name, "host") == 0 ||
           strcmp(name, "none") == 0;
}

/* The engine's own, or one of ours: then its name begins as all ours do. */
static char *network_name(const struct floor_rack *r, const char *arg)
{
    if (arg == NULL)
        return xstrdup(r->name);
    if (is_engines(arg))
        return xstrdup(arg);
    return xasprintf("%s-%s", r->name, arg);
}

static void add_label(cJSON *root, const struct floor_rack *r)
{
    cJSON_AddStringToObject(cJSON_AddObjectToObject(root, "Labels"), "floor",
                            r->name);
}

/* The first address is the gateway's. */
static cJSON *make_endpoint(const struct floor_rack *r,
                            const struct floor_subject *s)
{
    cJSON *endpoint = cJSON_CreateObject();
    char ip[64];

    if (r->prefix != NULL) {
        snprintf(ip, sizeof(ip), "%s.%zu", r->prefix, s->index + 2);
        cJSON_AddStringToObject(cJSON_AddObjectToObject(endpoint, "IPAMConfig"),
                                "IPv4Address", ip);
    }
    lay_over(endpoint, r->endpoint);
    return endpoint;
}

/* A container that does nothing but be there. */
static cJSON *make_container(const struct floor_rack *r,
                             const struct floor_subject *s)
{
    cJSON *root = cJSON_CreateObject(), *host, *ends;
    const char *argv[] = { "sleep", "infinity" };
    cleanup_free char *net = network_name(r, r->joined);

    cJSON_AddStringToObject(root, "Image", s->image);
    cJSON_AddItemToObject(root, "Entrypoint", cJSON_CreateStringArray(argv, 2));
    add_label(root, r);
    host = cJSON_AddObjectToObject(root, "HostConfig");
    cJSON_AddStringToObject(host, "NetworkMode", net);
    if (!is_engines(net) || strcmp(net, "bridge") == 0) {
        ends = cJSON_AddObjectToObject(root, "NetworkingConfig");
        ends = cJSON_AddObjectToObject(ends, "EndpointsConfig");
        cJSON_AddItemToObject(ends, net, make_endpoint(r, s));
    }
    lay_over(root, r->container);
    return root;
}

static cJSON *make_network(const struct floor_rack *r, const char *name)
{
    cJSON *root = cJSON_CreateObject(), *pools, *pool;
    char subnet[64];

    cJSON_AddStringToObject(root, "Name", name);
    add_label(root, r);
    if (r->prefix != NULL && strcmp(name, r->name) == 0) {
        snprintf(subnet, sizeof(subnet), "%s.0/24", r->prefix);
        pools = cJSON_AddArrayToObject(cJSON_AddObjectToObject(root, "IPAM"),
                                       "Config");
        pool = cJSON_CreateObject();
        cJSON_AddItemToArray(pools, pool);
        cJSON_AddStringToObject(pool, "Subnet", subnet);
    }
    lay_over(root, r->network);
    return root;
}

/* ---- steps ----------------------------------------------------------------
 */

static int step_network(const struct floor_rack *r, struct floor_subject *s,
                        const char *arg, struct err *err)
{
    cleanup_free char *name = network_name(r, arg);
    cJSON *body = make_network(r, name);
    int rc = call(r, "POST", "/v1.41/networks/create", body, NULL, err);

    (void)s;
    cJSON_Delete(body);
    return rc;
}

static int step_no_network(const struct floor_rack *r, struct floor_subject *s,
                           const char *arg, struct err *err)
{
    cleanup_free char *name = network_name(r, arg);
    cleanup_free char *path = xasprintf("/v1.41/networks/%s", name);

    (void)s;
    return call(r, "DELETE", path, NULL, NULL, err);
}

static int step_create(const struct floor_rack *r, struct floor_subject *s,
                       const char *arg, struct err *err)
{
    cleanup_free char *path = xasprintf("/v1.41/containers/create?name=%s-%zu",
                                        r->name, s->index + 1);
    cJSON *body = make_container(r, s), *answer = NULL;
    int rc = call(r, "POST", path, body, &answer, err);
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(answer, "Id");

    (void)arg;
    if (rc == 0 && cJSON_IsString(id))
        s->id = xstrdup(id->valuestring);
    cJSON_Delete(answer);
    cJSON_Delete(body);
    return rc;
}

/* Its answer's head; then the stream stays open. */
static int step_attach(const struct floor_rack *r, struct floor_subject *s,
                       const char *arg, struct err *err)
{
    cleanup_free char *path =
        xasprintf("/v1.41/containers/%s/attach?stream=1&stdout=1&stderr=1",
                  s->id == NULL ? "" : s->id);
    struct http h = { .fd = -1 };
    int rc = send_call(&h, r, "POST", path, NULL, err);

    (void)arg;
    while (rc == 0 && h.status == 0)
        rc = http_feed(&h, err);
    if (rc == 0 && h.status >= 400)
        rc = refused(&h, "POST", path, err);
    if (rc == 0) {
        s->output = h.fd;
        h.fd = -1;
    }
    http_close(&h);
    return rc;
}

#define STEP_POST(word)                                                        \
    static int step_##word(const struct floor_rack *r,                         \
                           struct floor_subject *s, const char *arg,           \
                           struct err *err)                                    \
    {                                                                          \
        (void)arg;                                                             \
        return post(r, s, #word, err);                                         \
    }
STEP_POST(start)
STEP_POST(pause)
STEP_POST(unpause)
STEP_POST(kill)
STEP_POST(stop)

static int step_rename(const struct floor_rack *r, struct floor_subject *s,
                       const char *arg, struct err *err)
{
    cleanup_free char *verb =
        xasprintf("rename?name=%s-%s-%zu", r->name,
                  arg == NULL ? "renamed" : arg, s->index + 1);

    return post(r, s, verb, err);
}

static int step_inspect(const struct floor_rack *r, struct floor_subject *s,
                        const char *arg, struct err *err)
{
    cleanup_free char *path =
        xasprintf("/v1.41/containers/%s/json", s->id == NULL ? "" : s->id);

    (void)arg;
    return call(r, "GET", path, NULL, NULL, err);
}

static int join_or_leave(const struct floor_rack *r, struct floor_subject *s,
                         const char *arg, bool join, struct err *err)
{
    cleanup_free char *name = network_name(r, arg);
    cleanup_free char *path = xasprintf("/v1.41/networks/%s/%s", name,
                                        join ? "connect" : "disconnect");
    cJSON *body = cJSON_CreateObject();
    int rc;

    cJSON_AddStringToObject(body, "Container", s->id == NULL ? "" : s->id);
    if (join)
        cJSON_AddItemToObject(body, "EndpointConfig", make_endpoint(r, s));
    else
        cJSON_AddTrueToObject(body, "Force");
    rc = call(r, "POST", path, body, NULL, err);
    cJSON_Delete(body);
    return rc;
}

static int step_connect(const struct floor_rack *r, struct floor_subject *s,
                        const char *arg, struct err *err)
{
    return join_or_leave(r, s, arg, true, err);
}

static int step_disconnect(const struct floor_rack *r, struct floor_subject *s,
                           const char *arg, struct err *err)
{
    return join_or_leave(r, s, arg, false, err);
}

/* Kill and remove in one call, with its anonymous volumes. */
static int step_remove(const struct floor_rack *r, struct floor_subject *s,
                       const char *arg, struct err *err)
{
    cleanup_free char *path = xasprintf("/v1.41/containers/%s?force=1&v=1",
                                        s->id == NULL ? "" : s->id);
    int rc = call(r, "DELETE", path, NULL, NULL, err);

    (void)arg;
    if (rc < 0)
        return -1;
    free(s->id);
    s->id = NULL;
    if (s->output >= 0)
        close(s->output);
    s->output = -1;
    return 0;
}

static const struct floor_step steps[] = {
    { "network", true, step_network },
    { "create", false, step_create },
    { "attach", false, step_attach },
    { "start", false, step_start },
    { "pause", false, step_pause },
    { "unpause", false, step_unpause },
    { "rename", false, step_rename },
    { "inspect", false, step_inspect },
    { "connect", false, step_connect },
    { "disconnect", false, step_disconnect },
    { "kill", false, step_kill },
    { "stop", false, step_stop },
    { "remove", false, step_remove },
    { "no-network", true, step_no_network },
};

const struct floor_step *floor_step_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (strlen(steps[i].name) == len &&
            strncmp(steps[i].name, name, len) == 0)
            return &steps[i];
    return NULL;
}

void floor_step_names(char *out, size_t size)
{
    size_t used = 0;

    *out = '\0';
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s",
                                     i == 0 ? "" : " ", steps[i].name);
}
