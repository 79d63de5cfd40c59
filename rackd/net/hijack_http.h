/*
 * hijack_http -- private to hijack: the request that asks for a stream, and
 * what an answer that gives none means.
 */
#ifndef NET_HIJACK_HTTP_H
#define NET_HIJACK_HTTP_H

struct endpoint;
struct err;
struct hijack_spec;
struct httphead;
struct str;

void hijack_request(struct str *out, const struct endpoint *e,
                    const struct hijack_spec *spec);

/* An error answer, whole or cut short. Its text is passed on as it is: engine/
 * understands it. Returns -1. */
int hijack_refusal(const struct httphead *head, const struct endpoint *e,
                   struct err *err);

#endif /* NET_HIJACK_HTTP_H */
