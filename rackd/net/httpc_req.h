/*
 * httpc_req -- private to httpc: one request, its libcurl handle, and what
 * came back so far. httpc.c hands it to libcurl and reports it.
 */
#ifndef NET_HTTPC_REQ_H
#define NET_HTTPC_REQ_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"
#include "net/httpc.h"

struct endpoint;

/* What is sent from a file. */
struct httpc_upload {
    int fd; /* our own copy */
    off_t at, size;
    int os_errno; /* why reading failed; 0: it did not */
    bool shrunk;  /* the file ended before `size` */
};

struct httpc_req {
    struct httpc *client;
    const struct endpoint *endpoint; /* the client's */
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    struct httpc_upload upload;
    struct str body;
    char curl_msg[CURL_ERROR_SIZE];
    long status;          /* 0 until the head is here */
    bool too_big;         /* the collected body */
    size_t head_len;      /* so far */
    uint64_t answered_ns; /* when the first byte of it came */
    size_t discard_max, discarded;
    CURLcode result; /* of libcurl, once it is done */
    bool added;      /* libcurl has it */
    bool cancelled;  /* no callback from now on */
    bool want_pause; /* what httpc_pause() said last */
    bool paused;     /* libcurl holds bytes back */
    unsigned timeout_ms;
    uint64_t deadline_ms; /* of uv_hrtime(); 0: none */
    httpc_head_cb on_head;
    httpc_data_cb on_data;
    httpc_done_cb on_done;
    void *user;
    struct httpc_req *prev, *next; /* in the client's list */
};

/* `tls` may be NULL. Everything in `spec` is copied. */
struct httpc_req *httpc_req_new(struct httpc *client, const struct endpoint *e,
                                const struct httpc_tls *tls,
                                const struct httpc_spec *spec);

/* How libcurl's result reads for the owner: fills *res and returns 0, or
 * fills *err and returns -1. */
int httpc_req_result(struct httpc_req *req, CURLcode rc, struct httpc_res *res,
                     struct err *err);

/* libcurl must not have it any more. */
void httpc_req_free(struct httpc_req *req);

#endif /* NET_HTTPC_REQ_H */
