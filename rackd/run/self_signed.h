/* self_signed -- a TLS key and its certificate for a server of a test's life.
 */
#ifndef RUN_SELF_SIGNED_H
#define RUN_SELF_SIGNED_H

struct err;
struct str;

/* Appends both in PEM: an elliptic-curve key (a millisecond to make), and a
 * certificate of ten years for `name`. */
int self_signed_pem(struct str *out, const char *name, struct err *err);

#endif /* RUN_SELF_SIGNED_H */
