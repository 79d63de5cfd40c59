/*
 * auth -- logins of ~/.docker/config.json: `auths`, `credHelpers` and
 * `credsStore`. Private to engine/.
 *
 * A helper is a program, docker-credential-NAME: it gets the registry on its
 * standard input and writes a JSON text with the secret to its standard
 * output, so that no secret is ever on a command line. It is run with
 * helper_start() beside the loop.
 */
#ifndef ENGINE_AUTH_H
#define ENGINE_AUTH_H

#include <stdbool.h>

struct engine;
struct env;
struct err;

/* `token`: an identity token, which some registries give out instead. */
struct auth {
    char *username, *password, *token;
};

/* What config.json calls a registry: "https://index.docker.io/v1/" for
 * docker.io, else its name. */
const char *auth_server(const char *registry);

/*
 * The login of `server`. True: *out is filled in. False: there is none here;
 * *helper is the name of the helper to ask (the caller frees it), or NULL.
 */
bool auth_read(struct auth *out, char **helper, const char *config_dir,
               const char *server);
void auth_release(struct auth *a);

/* The value of X-Registry-Auth; the caller frees it. */
char *auth_header(const struct auth *a, const char *server);

/* The value of X-Registry-Config: all logins that are written in config.json
 * itself; NULL when there is none. */
char *auth_config(const char *config_dir);

struct helper;

/* `auth` NULL: no login, and `why` says why not ("" when the helper has none
 * for this registry). Both borrowed. */
typedef void (*helper_cb)(const struct auth *auth, const char *why, void *user);

/* Runs with the variables of `env`, and those of rackd that it does not set
 * (PATH). Its callback runs once, from the loop, unless cancelled. */
struct helper *helper_start(struct engine *e, const char *name,
                            const char *server, const struct env *env,
                            helper_cb cb, void *user);
void helper_cancel(struct helper *h);

#endif /* ENGINE_AUTH_H */
