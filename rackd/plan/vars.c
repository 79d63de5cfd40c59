/* The six variables of a resource, for a container of ours or for the URL of
 * somebody else's server. resources.c fills them in; environ.c gives them to
 * services, and api/ shows them. */
#include "plan/vars.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "plan/url.h"

static const char *const suffixes[VARS_COUNT + 1] = {
    "URL", "USER", "PASS", "HOST", "PORT", "NAME", NULL,
};

const char *vars_suffix(size_t n)
{
    return suffixes[n];
}

char *vars_key(const char *resource, const char *suffix)
{
    char *key = xasprintf("%s_%s", resource, suffix);

    for (char *c = key; *c != '\0'; c++) {
        *c = (char)toupper((unsigned char)*c);
        if (*c == '-')
            *c = '_';
    }
    return key;
}

static const char *field(const struct plan_vars *vars, const char *suffix)
{
    const char *const values[VARS_COUNT] = {
        vars->url, vars->user, vars->pass, vars->host, vars->port, vars->name,
    };

    for (size_t i = 0; i < VARS_COUNT; i++)
        if (strcmp(suffix, suffixes[i]) == 0)
            return values[i];
    return NULL;
}

const char *vars_get(const struct plan_vars *vars, const char *suffix)
{
    const char *value = field(vars, suffix);

    return value == NULL ? vars->url : value;
}

/* The value that a placeholder such as "user" stands for; NULL when there is no
 * such variable. */
static const char *placeholder(const struct plan_vars *vars, const char *word,
                               size_t len)
{
    cleanup_free char *upper = str_dup_len(word, len);

    for (char *c = upper; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    return field(vars, upper);
}

char *vars_fill(const struct plan_vars *vars, const char *template, bool is_url)
{
    struct str out = { 0 };

    while (*template != '\0') {
        size_t len = *template == '{' ? strcspn(template, "}") : 0;
        const char *value = len > 0 && template[len] == '}'
                                ? placeholder(vars, template + 1, len - 1)
                                : NULL;

        if (value == NULL) {
            str_add_char(&out, *template ++);
            continue;
        }
        if (is_url && (value == vars->user || value == vars->pass))
            percent_encode(&out, value, "");
        else
            str_add(&out, value);
        template += len + 1;
    }
    return str_take(&out);
}

void vars_make(struct plan_vars *vars, const struct resource_type *type,
               const char *resource, const char *password)
{
    vars->user = xstrdup(type->has_login ? "app" : "");
    vars->pass = xstrdup(type->has_login ? password : "");
    vars->name = xstrdup(type->has_login ? "app" : "");
    vars->host = xasprintf("resource-%s", resource);
    vars->port = xasprintf("%d", type->port);
    vars->url = vars_fill(vars, type->url, true);
}

void vars_from_url(struct plan_vars *vars, const struct resource_type *type,
                   const char *url)
{
    cleanup_url struct url u;

    url_parse(url, &u);
    vars->url = xstrdup(url);
    vars->user = xstrdup(u.user);
    vars->pass = xstrdup(u.pass);
    vars->host = xstrdup(u.host);
    vars->port = xasprintf("%d", u.port > 0 ? u.port : type->port);
    /* In a redis URL the "/0" is the number of a database, not a name. */
    vars->name = xstrdup(type->has_login ? u.name : "");
}

void vars_release(struct plan_vars *vars)
{
    free(vars->url);
    free(vars->user);
    free(vars->pass);
    free(vars->host);
    free(vars->port);
    free(vars->name);
    *vars = (struct plan_vars){ 0 };
}
