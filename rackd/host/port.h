/*
 * port -- ports of 127.0.0.1: which are free, and who holds those that are
 * not.
 *
 *     if (!port_is_free(3000)) {
 *         port_holder(3000, &who);        "nginx (pid 123)"
 *         ...
 *     }
 *     struct port_book book = { 0 };
 *     port_any(&book, &port, &err);
 *
 * An answer is advice only: anybody may take the port before the engine binds
 * it, so the caller has to handle the engine's refusal as well.
 */
#ifndef HOST_PORT_H
#define HOST_PORT_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* How many ports, of those handed out last, are not handed out again: the
 * engine may be about to bind them. */
#define PORT_BOOK_LEN 256

/* The ports handed out last. A zeroed struct is an empty book. */
struct port_book {
    int recent[PORT_BOOK_LEN];
    size_t next;
};

/*
 * Can 127.0.0.1:port be bound? Not when somebody listens there, on 0.0.0.0, or
 * on [::] where that takes IPv4 too; connections in TIME_WAIT do not matter.
 * A port below 1024 that we may not bind ourselves is free when nobody listens
 * there, because the engine may bind it.
 */
bool port_is_free(int port);

/* *out is `wanted` when that is free; else false. */
bool port_pick(struct port_book *book, int wanted, int *out);

/* *out is a free port that was not handed out lately. */
int port_any(struct port_book *book, int *out, struct err *err);

/*
 * Who listens there: "nginx (pid 123)", or "another user's process" when we may
 * not look. "docker-proxy (pid 123)" holds the port for a container, and only
 * the engine knows for which. False when nobody listens. The caller frees
 * *text. It reads the descriptors of every process, which is slow: for error
 * messages only.
 */
bool port_holder(int port, char **text);

#endif /* HOST_PORT_H */
