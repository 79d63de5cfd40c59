/* template_cert -- the TLS key and certificate that a database in a template
 * gets, instead of making them at every start. */
#ifndef RUN_TEMPLATE_CERT_H
#define RUN_TEMPLATE_CERT_H

struct err;
struct str;

/* Appends both in PEM: an elliptic-curve key (a millisecond to make), and a
 * self-signed certificate of ten years for `name`. */
int template_cert(struct str *out, const char *name, struct err *err);

#endif /* RUN_TEMPLATE_CERT_H */
