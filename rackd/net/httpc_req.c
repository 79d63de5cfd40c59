/*
 * One request of the HTTP client: what libcurl is told about it, the callbacks
 * that libcurl runs for its bytes, and how its result reads for people.
 */
#include "net/httpc_req.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/endpoint.h"

/* A collected body larger than this is an error, not an allocation. */
#define BODY_MAX ((size_t)8 << 20)

/* A head of more bytes than this is not read to its end. */
#define HEAD_MAX ((size_t)256 << 10)

/* Bytes read from a stream at once: four times what the engine writes at once.
 * Pages of the buffer that nothing was read into take no memory. */
#define STREAM_BUFFER (128L << 10)

/* How long a tcp peer may take to answer a SYN. */
#define CONNECT_TIMEOUT_MS 10000L

/* Called by libcurl, in order of time. */
static size_t on_upload(char *into, size_t size, size_t count, void *user);
static int on_rewind(void *user, curl_off_t offset, int origin);
static size_t on_header(char *line, size_t size, size_t count, void *user);
static size_t on_bytes(char *data, size_t size, size_t count, void *user);

/* The URL has the name that a server may choose its certificate by; the address
 * is told apart from it. */
static void set_unverified(struct httpc_req *req, const struct endpoint *e)
{
    cleanup_free char *to = xasprintf("::%s", e->shown);

    req->connect_to = curl_slist_append(NULL, to);
    curl_easy_setopt(req->easy, CURLOPT_CONNECT_TO, req->connect_to);
    curl_easy_setopt(req->easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(req->easy, CURLOPT_SSL_VERIFYHOST, 0L);
}

static void set_where(struct httpc_req *req, const struct endpoint *e,
                      const struct httpc_tls *tls, const char *path)
{
    cleanup_free char *url = NULL;

    if (e->path != NULL) {
        url = xasprintf("http://engine%s", path);
        curl_easy_setopt(req->easy, CURLOPT_UNIX_SOCKET_PATH, e->path);
    } else {
        url = xasprintf("%s://%s%s", e->tls ? "https" : "http", e->shown, path);
        curl_easy_setopt(req->easy, CURLOPT_CONNECTTIMEOUT_MS,
                         CONNECT_TIMEOUT_MS);
        curl_easy_setopt(req->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    }
    if (tls != NULL && tls->unverified != NULL) {
        free(url);
        url = xasprintf("https://%s:%d%s", tls->unverified, e->port, path);
        set_unverified(req, e);
    } else if (tls != NULL) {
        curl_easy_setopt(req->easy, CURLOPT_CAINFO, tls->ca);
        curl_easy_setopt(req->easy, CURLOPT_SSLCERT, tls->cert);
        curl_easy_setopt(req->easy, CURLOPT_SSLKEY, tls->key);
    }
    curl_easy_setopt(req->easy, CURLOPT_URL, url);
    curl_easy_setopt(req->easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(req->easy, CURLOPT_NOPROXY, "*");
}

static void add_header(struct httpc_req *req, const char *line)
{
    req->headers = curl_slist_append(req->headers, line);
}

static void set_bytes(struct httpc_req *req, const char *data, size_t len)
{
    curl_easy_setopt(req->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    curl_easy_setopt(req->easy, CURLOPT_COPYPOSTFIELDS, data);
}

/*
 * A file of known length; our own copy of the descriptor, so that the owner
 * may close his. If that cannot be had, on_upload() is where it shows.
 */
static void set_upload(struct httpc_req *req, int fd)
{
    struct stat st = { .st_size = 0 };

    req->upload.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (req->upload.fd < 0 || fstat(req->upload.fd, &st) < 0) {
        req->upload.os_errno = errno;
        st.st_size = 1;
    }
    req->upload.size = st.st_size;
    curl_easy_setopt(req->easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(req->easy, CURLOPT_INFILESIZE_LARGE,
                     (curl_off_t)st.st_size);
    curl_easy_setopt(req->easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(req->easy, CURLOPT_READDATA, req);
    curl_easy_setopt(req->easy, CURLOPT_SEEKFUNCTION, on_rewind);
    curl_easy_setopt(req->easy, CURLOPT_SEEKDATA, req);
}

static void set_body(struct httpc_req *req, const struct httpc_spec *spec)
{
    const char *type = spec->type;
    cleanup_free char *line = NULL;

    if (spec->json != NULL) {
        type = "application/json";
        set_bytes(req, spec->json, strlen(spec->json));
    } else if (spec->data != NULL) {
        set_bytes(req, spec->data, spec->data_len);
    } else if (spec->upload_fd > 0) {
        set_upload(req, spec->upload_fd);
    } else {
        return;
    }
    line = xasprintf("Content-Type: %s",
                     type != NULL ? type : "application/octet-stream");
    add_header(req, line);
    /* Else libcurl asks for permission to send a long body, and waits. */
    add_header(req, "Expect:");
}

static void set_callbacks(struct httpc_req *req)
{
    curl_easy_setopt(req->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(req->easy, CURLOPT_HEADERDATA, req);
    curl_easy_setopt(req->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(req->easy, CURLOPT_WRITEDATA, req);
    curl_easy_setopt(req->easy, CURLOPT_ERRORBUFFER, req->curl_msg);
    curl_easy_setopt(req->easy, CURLOPT_PRIVATE, req);
    if (req->on_data != NULL)
        curl_easy_setopt(req->easy, CURLOPT_BUFFERSIZE, STREAM_BUFFER);
}

struct httpc_req *httpc_req_new(struct httpc *client, const struct endpoint *e,
                                const struct httpc_tls *tls,
                                const struct httpc_spec *spec)
{
    struct httpc_req *req = xcalloc(1, sizeof(*req));

    req->client = client;
    req->endpoint = e;
    req->upload.fd = -1;
    req->on_head = spec->on_head;
    req->on_data = spec->on_data;
    req->on_done = spec->on_done;
    req->user = spec->user;
    req->timeout_ms = spec->timeout_ms;
    req->discard_max = spec->discard_max;

    /* A fresh easy handle each time: libcurl 7.88 counts its silent retries
     * per handle and never resets the count, so a reused one runs out. */
    req->easy = curl_easy_init();
    if (req->easy == NULL)
        abort();
    set_where(req, e, tls, spec->path);
    set_body(req, spec);
    set_callbacks(req);
    for (size_t i = 0; spec->headers != NULL && spec->headers[i] != NULL; i++)
        add_header(req, spec->headers[i]);
    curl_easy_setopt(req->easy, CURLOPT_HTTPHEADER, req->headers);
    curl_easy_setopt(req->easy, CURLOPT_CUSTOMREQUEST, spec->method);
    if (strcmp(spec->method, "HEAD") == 0) /* do not wait for the body */
        curl_easy_setopt(req->easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(req->easy, CURLOPT_HTTP_VERSION,
                     (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(req->easy, CURLOPT_NOSIGNAL, 1L);
    return req;
}

void httpc_req_free(struct httpc_req *req)
{
    curl_easy_cleanup(req->easy);
    curl_slist_free_all(req->headers);
    curl_slist_free_all(req->connect_to);
    str_release(&req->body);
    if (req->upload.fd >= 0)
        close(req->upload.fd);
    free(req);
}

const char *httpc_res_header(const struct httpc_req *req, const char *name)
{
    struct curl_header *found;

    if (curl_easy_header(req->easy, name, 0, CURLH_HEADER, -1, &found) !=
        CURLHE_OK)
        return NULL;
    return found->value;
}

static size_t on_upload(char *into, size_t size, size_t count, void *user)
{
    struct httpc_req *req = user;
    struct httpc_upload *up = &req->upload;
    size_t left = (size_t)(up->size - up->at);
    size_t len = size * count < left ? size * count : left;
    ssize_t got;

    if (req->cancelled || up->os_errno != 0)
        return CURL_READFUNC_ABORT;
    do {
        got = pread(up->fd, into, len, up->at);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        up->os_errno = errno;
    /* The server has been promised this length already. */
    up->shrunk = got == 0 && len > 0;
    if (got < 0 || up->shrunk)
        return CURL_READFUNC_ABORT;
    up->at += got;
    return (size_t)got;
}

/* libcurl sends the body once more, when a kept connection turned out dead. */
static int on_rewind(void *user, curl_off_t offset, int origin)
{
    struct httpc_req *req = user;

    if (origin != SEEK_SET || offset < 0 || offset > req->upload.size)
        return CURL_SEEKFUNC_CANTSEEK;
    req->upload.at = offset;
    return CURL_SEEKFUNC_OK;
}

/* One line of the head; the empty one ends it. */
static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    struct httpc_req *req = user;
    size_t len = size * count;
    long status = 0;

    if (req->head_len == 0)
        req->answered_ns = uv_hrtime();
    req->head_len += len;
    if (req->cancelled || req->head_len > HEAD_MAX)
        return 0;
    if (req->status != 0 || (line[0] != '\r' && line[0] != '\n'))
        return len; /* inside a head, or trailers behind the body */
    curl_easy_getinfo(req->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 && status != 101)
        return len; /* 100 Continue: the real head is still to come */
    req->status = status;
    if (req->on_head != NULL)
        req->on_head(req, status, req->user);
    return len;
}

static size_t on_bytes(char *data, size_t size, size_t count, void *user)
{
    struct httpc_req *req = user;
    size_t len = size * count;

    if (req->cancelled)
        return 0;
    if (req->discard_max > 0) {
        req->discarded += len;
        return req->discarded > req->discard_max ? 0 : len;
    }
    if (req->on_data != NULL && req->status < 400) {
        /* libcurl keeps these bytes and stops reading the socket, so a
         * paused stream costs nothing until httpc.c resumes it. */
        if (req->want_pause) {
            req->paused = true;
            return CURL_WRITEFUNC_PAUSE;
        }
        req->on_data(req, data, len, req->user);
        return len;
    }
    if (req->body.len + len > BODY_MAX) {
        req->too_big = true;
        return 0;
    }
    str_add_len(&req->body, data, len);
    return len;
}

/* The failure is on our side: the file could not be read. */
static int upload_failed(const struct httpc_upload *up, struct err *err)
{
    if (up->shrunk)
        return err_set(err, ERR_SYSTEM,
                       "the file to send became shorter meanwhile");
    return err_set(err, ERR_SYSTEM, "cannot read the file to send: %s",
                   strerror(up->os_errno));
}

static int transfer_failed(struct httpc_req *req, CURLcode rc, struct err *err)
{
    const char *shown = req->endpoint->shown;
    const char *why =
        req->curl_msg[0] != '\0' ? req->curl_msg : curl_easy_strerror(rc);
    long os_errno = 0;

    if (req->head_len > HEAD_MAX)
        return err_set(err, ERR_PROTOCOL,
                       "%s: the head of the answer is "
                       "larger than %zu KiB",
                       shown, HEAD_MAX >> 10);
    switch (rc) {
    case CURLE_OPERATION_TIMEDOUT:
        if (req->curl_msg[0] != '\0') /* libcurl's own: connecting */
            return err_set(err, ERR_TIMEOUT, "%s: %s", shown, why);
        return err_set(err, ERR_TIMEOUT, "%s: no answer within %u ms", shown,
                       req->timeout_ms);
    case CURLE_COULDNT_CONNECT:
        /* The text says "Couldn't connect to server", whatever the cause. */
        curl_easy_getinfo(req->easy, CURLINFO_OS_ERRNO, &os_errno);
        return endpoint_refused(req->endpoint, (int)os_errno, err);
    case CURLE_COULDNT_RESOLVE_HOST:
        return err_set(err, ERR_UNAVAILABLE, "no such host: %s", shown);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return err_set(err, ERR_UNAVAILABLE, "connection lost: %s: %s", shown,
                       why);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(err, ERR_UNAVAILABLE, "no TLS with %s: %s", shown, why);
    default:
        return err_set(err, ERR_PROTOCOL, "%s: %s", shown, why);
    }
}

int httpc_req_result(struct httpc_req *req, CURLcode rc, struct httpc_res *res,
                     struct err *err)
{
    if (req->upload.os_errno != 0 || req->upload.shrunk)
        return upload_failed(&req->upload, err);
    if (req->too_big)
        return err_set(err, ERR_PROTOCOL, "%s: answer larger than %zu MiB",
                       req->endpoint->shown, BODY_MAX >> 20);
    if (req->discarded > req->discard_max)
        rc = CURLE_OK; /* we hung up, having read what was wanted */
    req->result = rc;
    if (rc != CURLE_OK)
        return transfer_failed(req, rc, err);
    /* libcurl 7.88 takes a connection that is closed within the head for the
     * end of an answer without a body. */
    if (req->status == 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "connection lost: %s: it was closed in mid-answer",
                       req->endpoint->shown);
    *res = (struct httpc_res){ .status = req->status,
                               .body = str_c(&req->body),
                               .body_len = req->body.len,
                               .req = req };
    return 0;
}

/* ---- what went wrong, without words of ours ------------------------------ */

/* "OpenSSL/3.0: error:0A00010B:SSL routines::wrong version number": what is
 * behind the last colon; NULL when OpenSSL gave no reason, as when the peer
 * hung up. */
static const char *tls_reason(const struct httpc_req *req)
{
    const char *error = strstr(req->curl_msg, "error:");
    const char *colon = error == NULL ? NULL : strrchr(error, ':');

    return colon == NULL ? NULL : colon + 1;
}

static enum httpc_failure closed(const struct httpc_req *req)
{
    return req->head_len > 0 ? HTTPC_CUT_SHORT : HTTPC_NO_ANSWER;
}

static enum httpc_failure kind_of(const struct httpc_req *req)
{
    if (req->head_len > HEAD_MAX)
        return HTTPC_HEAD_TOO_LARGE;
    switch (req->result) {
    case CURLE_COULDNT_CONNECT:
        return HTTPC_NOT_CONNECTED;
    case CURLE_SSL_CONNECT_ERROR:
        return tls_reason(req) != NULL ? HTTPC_NO_TLS : HTTPC_NO_ANSWER;
    case CURLE_OK: /* closed within its head: httpc_req_result() */
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
        return closed(req);
    case CURLE_UNSUPPORTED_PROTOCOL: /* "HTTP/0.9", which is anything */
    case CURLE_WEIRD_SERVER_REPLY:
        return HTTPC_NOT_HTTP;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTPC_TOO_LATE;
    default:
        return HTTPC_FAILED;
    }
}

struct httpc_why httpc_why(const struct httpc_req *req)
{
    struct httpc_why why = { .what = kind_of(req), .text = req->curl_msg };
    long os_errno = 0;

    curl_easy_getinfo(req->easy, CURLINFO_OS_ERRNO, &os_errno);
    why.os_errno = (int)os_errno;
    if (why.what == HTTPC_NO_TLS)
        why.text = tls_reason(req);
    else if (*why.text == '\0')
        why.text = curl_easy_strerror(req->result);
    return why;
}

/* libcurl counts from the request's start, which it does not tell by our
 * clock; when the first byte came we know by both. */
uint64_t httpc_connected_ns(const struct httpc_req *req)
{
    curl_off_t connected_us = 0, answered_us = 0;

    curl_easy_getinfo(req->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    curl_easy_getinfo(req->easy, CURLINFO_STARTTRANSFER_TIME_T, &answered_us);
    return req->answered_ns - (uint64_t)(answered_us - connected_us) * 1000;
}
