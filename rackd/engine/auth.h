/*
 * auth -- logins from ~/.docker/config.json: `auths`, `credHelpers` and
 * `credsStore`. Private to engine/.
 *
 * A credential helper is a program, docker-credential-NAME. It gets the
 * registry on its standard input, and writes JSON with the secret to its
 * standard output, so that no secret is ever on a command line. helper_start()
 * runs it without blocking the loop.
 */
#ifndef ENGINE_AUTH_H
#define ENGINE_AUTH_H

#include <stdbool.h>

struct engine;
struct env;
struct err;

/* A login. `token` is an identity token, which some registries use instead of a
 * password. */
struct auth {
    char *username, *password, *token;
};

/* The name of a registry in config.json: "https://index.docker.io/v1/" for
 * docker.io, else its own name. */
const char *auth_server(const char *registry);

/* Looks up the login of `server`. True: *out is filled in. False: config.json
 * has none; *helper is then the name of the helper to ask (the caller frees
 * it), or NULL. */
bool auth_read(struct auth *out, char **helper, const char *config_dir,
               const char *server);
void auth_release(struct auth *a);

/* The value of X-Registry-Auth; the caller frees it. */
char *auth_header(const struct auth *a, const char *server);

/* The value of X-Registry-Config: all logins that config.json contains itself,
 * without those of helpers; NULL when there is none. The caller frees it. */
char *auth_config(const char *config_dir);

struct helper;

/* `auth` is NULL when there is no login; `why` then says why ("" when the
 * helper knows none for this registry). Both are borrowed. */
typedef void (*helper_cb)(const struct auth *auth, const char *why, void *user);

/* Runs a helper with the variables of `env`, and with those of rackd that `env`
 * does not set (PATH). The callback runs once, from the loop, unless it is
 * cancelled. */
struct helper *helper_start(struct engine *e, const char *name,
                            const char *server, const struct env *env,
                            helper_cb cb, void *user);
void helper_cancel(struct helper *h);

#endif /* ENGINE_AUTH_H */
