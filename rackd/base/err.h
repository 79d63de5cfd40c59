/*
 * err -- the one way a function says why it failed.
 *
 * A fallible function takes `struct err *err` as its last argument, returns 0
 * (or a non-NULL pointer) on success and -1 (or NULL) on failure. `*err` is
 * written only on failure. The struct lives on the caller's stack and owns
 * nothing, so there is nothing to free and it works when memory is short.
 * Declare it as `struct err err = { 0 };`.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_code {
    ERR_NONE = 0,
    ERR_INVALID,     /* the user's input is wrong; the message says where */
    ERR_UNAVAILABLE, /* a peer is not there, or went away */
    ERR_TIMEOUT,     /* a peer did not answer in time */
    ERR_PROTOCOL,    /* a peer answered something we cannot use */
    ERR_SYSTEM,      /* the operating system said no */
    ERR_NOT_FOUND,   /* the thing asked for is not there */
    ERR_CONFLICT,    /* the thing is there already, or busy */
};

struct err {
    enum err_code code;
    char msg[1024];
};

/* Set *err and return -1, so that callers write `return err_set(...)`. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "context: " in front of the message already there; returns -1. */
int err_wrap(struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif /* BASE_ERR_H */
