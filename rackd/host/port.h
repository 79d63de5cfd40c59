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
 * All is advice: between the answer and the engine's own bind() anybody may
 * take the port, so the engine's refusal has the last word.
 */
#ifndef HOST_PORT_H
#define HOST_PORT_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* So many ports handed out last are not handed out again: they may be about
 * to be bound. */
#define PORT_BOOK_LEN 256

/* Zeroed is empty. */
struct port_book {
    int recent[PORT_BOOK_LEN];
    size_t next;
};

/*
 * Can 127.0.0.1:port be bound? A listener there, on 0.0.0.0 or on [::] (where
 * that takes IPv4 too) says no; connections in TIME_WAIT do not.
 * A port below 1024 that we may not bind ourselves is free when nobody listens
 * there: the engine may bind it.
 */
bool port_is_free(int port);

/* `wanted` when it is free, else false. */
bool port_pick(struct port_book *book, int wanted, int *out);

/* A free one that was not handed out lately. */
int port_any(struct port_book *book, int *out, struct err *err);

/*
 * Who listens there: "nginx (pid 123)", "another user's process" where it
 * cannot be told; "docker-proxy (pid 123)" is a container's, and which one the
 * caller has to ask the engine. False when nobody does. The caller frees
 * *text. Reads every process's descriptors: for error messages only.
 */
bool port_holder(int port, char **text);

#endif /* HOST_PORT_H */
