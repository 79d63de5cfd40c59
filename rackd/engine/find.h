/* find -- endpoints, contexts and certificates. Private to engine/; the public
 * part is engine_find(). */
#ifndef ENGINE_FIND_H
#define ENGINE_FIND_H

#include <stdbool.h>

struct env;
struct err;
struct strv;

/* ERR_INVALID, with what to do, for an endpoint of a kind that we cannot
 * use. */
int find_check(const char *endpoint, struct err *err);

/* $DOCKER_CONFIG or ~/.docker; NULL without a home. The caller frees it. */
char *find_config_dir(const struct env *env);

/* Certificates for a tcp endpoint: those of DOCKER_CERT_PATH, or of the context
 * that has this endpoint. Paths are absolute. False: there are none. */
struct find_tls {
    char *ca, *cert, *key;
};
bool find_tls(struct find_tls *out, const char *endpoint,
              const struct env *env);
void find_tls_release(struct find_tls *tls);

/* The endpoint of the first socket in `paths` that answers, else of the first
 * that exists. */
int find_socket(char **out, const struct strv *paths, struct err *err);

/* A small file's text, NUL terminated; NULL when it cannot be read. */
char *find_read(const char *path);

#endif /* ENGINE_FIND_H */
