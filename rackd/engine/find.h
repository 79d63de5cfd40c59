/* find -- endpoints, contexts and what belongs to them. Private to engine/. */
#ifndef ENGINE_FIND_H
#define ENGINE_FIND_H

#include <stdbool.h>

struct env;
struct err;
struct strv;

/* ERR_INVALID for an endpoint that we cannot speak to, and what to do. */
int find_check(const char *endpoint, struct err *err);

/* $DOCKER_CONFIG or ~/.docker; NULL without a home. The caller frees it. */
char *find_config_dir(const struct env *env);

/* TLS material of a tcp endpoint: DOCKER_CERT_PATH, or that of the context
 * whose endpoint it is. Absolute paths; false: none. */
struct find_tls {
    char *ca, *cert, *key;
};
bool find_tls(struct find_tls *out, const char *endpoint,
              const struct env *env);
void find_tls_release(struct find_tls *tls);

/* The endpoint of the first socket of `paths` that answers, else that is
 * there. */
int find_socket(char **out, const struct strv *paths, struct err *err);

/* A small file's text, NUL terminated; NULL when it cannot be read. */
char *find_read(const char *path);

#endif /* ENGINE_FIND_H */
