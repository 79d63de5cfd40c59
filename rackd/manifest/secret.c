/* Decodes `imagePullSecrets`: logins for registries. No message may contain a
 * password. */
#include <ctype.h>
#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "manifest/decode.h"
#include "manifest/sections.h"

struct secret {
    char *registry, *username, *password, *password_env;
};

/* True for a host name (labels of lowercase letters, digits and inner dashes)
 * with or without a port. */
static bool is_host(const char *text)
{
    const char *s = text;
    long port;

    for (;;) {
        size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

        if (len == 0 || len > 63 || s[0] == '-' || s[len - 1] == '-')
            return false;
        s += len;
        if (*s != '.')
            break;
        s++;
    }
    if (*s == ':')
        return str_to_long(s + 1, 1, 65535, &port);
    return *s == '\0' && s - text <= 253;
}

static bool has_upper(const char *text)
{
    for (; *text != '\0'; text++)
        if (isupper((unsigned char)*text))
            return true;
    return false;
}

static const char *wrong_registry(const char *registry)
{
    if (strstr(registry, "://") != NULL)
        return "must not include a scheme";
    if (strchr(registry, '/') != NULL)
        return "must not include a path";
    if (has_upper(registry))
        return "must be lowercase";
    return is_host(registry) ? NULL : "is not a valid registry hostname";
}

/* Reports at most one error per secret, as the Convox loader does. */
static bool check_secret(const struct at *at, const struct secret *secret)
{
    const char *name = at_owner(at), *why;
    const char *missing = secret->registry == NULL   ? "registry is required"
                          : secret->username == NULL ? "username is required"
                                                     : NULL;

    if (secret->registry != NULL) {
        why = wrong_registry(secret->registry);
        if (why != NULL) {
            at_error(at,
                     "service %.100s imagePullSecrets[%zu]: registry "
                     "\"%.100s\" %s",
                     name, at->index, secret->registry, why);
            return false;
        }
    }
    if (missing == NULL && secret->password == NULL &&
        secret->password_env == NULL)
        missing = "password or passwordEnv is required";
    if (missing == NULL && secret->password != NULL &&
        secret->password_env != NULL)
        missing = "password and passwordEnv can not both be given";
    if (missing != NULL)
        at_error(at, "service %.100s imagePullSecrets[%zu]: %s", name,
                 at->index, missing);
    return missing == NULL;
}

static void resolve_password(const struct at *at, struct secret *secret)
{
    const char *value;

    if (secret->password_env == NULL)
        return;
    value = at->load->env == NULL
                ? NULL
                : env_get(at->load->env, secret->password_env);
    if (value == NULL)
        at_warn(at,
                "service %.100s imagePullSecrets[%zu]: %.100s is not set in "
                "the app's environment",
                at_owner(at), at->index, secret->password_env);
    else
        secret->password = xstrdup(value);
    if (!strv_has(&at->load->m->used, secret->password_env))
        strv_add(&at->load->m->used, secret->password_env);
}

/* The list of one service while it is read. */
struct secrets {
    struct manifest_service *s;
    struct names registries;
};

static void keep(const struct at *at, struct secret *secret,
                 struct secrets *secrets)
{
    struct manifest_pull_secret *kept;
    size_t before =
        names_add(&secrets->registries, secret->registry, at->index);

    if (before != NAMES_NEW) {
        at_error(at,
                 "service %.100s imagePullSecrets[%zu]: duplicate registry "
                 "\"%.100s\" (also declared at index %zu); each registry may "
                 "be declared at most once per service",
                 at_owner(at), at->index, secret->registry, before);
        return;
    }
    resolve_password(at, secret);
    kept = vec_add(&secrets->s->pull_secrets);
    kept->registry = secret->registry;
    kept->username = secret->username;
    kept->password = secret->password;
    *secret = (struct secret){ .password_env = secret->password_env };
}

static void decode_secret(const struct at *at, void *out)
{
    static const struct decode_key keys[] = {
        { "registry", decode_text, offsetof(struct secret, registry), 0 },
        { "username", decode_text, offsetof(struct secret, username), 0 },
        { "password", decode_text, offsetof(struct secret, password), 0 },
        { "passwordEnv", decode_text, offsetof(struct secret, password_env),
          0 },
        { 0 },
    };
    struct secret secret = { 0 };

    if (decode_map(at, "a map of registry, username and password", keys,
                   &secret) &&
        check_secret(at, &secret))
        keep(at, &secret, out);
    free(secret.registry);
    free(secret.username);
    free(secret.password);
    free(secret.password_env);
}

void decode_pull_secrets(const struct at *at, void *out)
{
    struct secrets secrets = { .s = out };

    decode_list(at, "a list of maps of registry, username and password",
                decode_secret, &secrets);
    names_release(&secrets.registries);
}
