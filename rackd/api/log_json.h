/*
 * log_json -- lines of a hub as events for a client, as fast as it reads.
 */
#ifndef API_LOG_JSON_H
#define API_LOG_JSON_H

#include <stdbool.h>
#include <stdint.h>

struct hub_sub;
struct web_req;

/* Sends what waits for the client, as `log` events or, where it asked for
 * `text`, as `text` events. False: the client must read some of that first;
 * call again when it has (web_on_drain()). */
bool send_lines(struct web_req *req, struct hub_sub *sub, bool text,
                uint64_t ms);

/* The session is over: sends its last lines and an `end` with this status, as
 * fast as the client reads (logs.c). Takes req and sub. */
void send_last_lines(struct web_req *req, struct hub_sub *sub, bool text,
                     uint64_t ms, int status);

#endif /* API_LOG_JSON_H */
