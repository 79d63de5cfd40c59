/* plan_print(): the plan as indented "key: value" lines, in the order of the
 * plan. `cvx plan` and the golden tests call it. Defaults have no line, so that
 * what is printed is worth reading. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "plan/mask.h"
#include "plan/plan.h"
#include "plan/vars.h"

struct printer {
    const struct plan *plan;
    struct str *out;
    struct strv secrets;
};

static const char *const probe_names[] = {
    [PROBE_NONE] = "none",           [PROBE_POSTGRES] = "postgres",
    [PROBE_MYSQL] = "mysql",         [PROBE_REDIS] = "redis",
    [PROBE_MEMCACHED] = "memcached",
};

/* Appends a text that came from the user, masked. */
static void show(struct printer *p, const char *text)
{
    mask_add(text, &p->secrets, p->out);
}

static void line(struct printer *p, const char *key, const char *text)
{
    if (text == NULL)
        return;
    str_printf(p->out, "  %s: ", key);
    show(p, text);
    str_add_char(p->out, '\n');
}

static void line_list(struct printer *p, const char *key,
                      const struct strv *list)
{
    cleanup_free char *joined = NULL;

    if (list->len == 0)
        return;
    joined = strv_join(list, ", ");
    line(p, key, joined);
}

static bool is_plain(const char *word)
{
    return *word != '\0' &&
           word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                             "WXYZ0123456789-_=./:,@%+")] == '\0';
}

/* Prints words as one would type them in a shell. */
static void line_argv(struct printer *p, const char *key,
                      const struct strv *argv)
{
    if (argv->len == 0)
        return;
    str_printf(p->out, "  %s:", key);
    for (size_t i = 0; i < argv->len; i++) {
        const char *quote = is_plain(argv->v[i])               ? ""
                            : strchr(argv->v[i], '\'') == NULL ? "'"
                                                               : "\"";

        str_printf(p->out, " %s", quote);
        show(p, argv->v[i]);
        str_add(p->out, quote);
    }
    str_add_char(p->out, '\n');
}

/* Prints KEY=VALUE. Under a secret key all of the value is hidden, else only
 * the secrets within it. */
static void line_pair(struct printer *p, const char *pair)
{
    size_t key = strcspn(pair, "=");
    const char *value = pair[key] == '=' ? pair + key + 1 : "";

    str_printf(p->out, "    %.*s=", (int)key, pair);
    if (*value != '\0' && mask_is_secret(pair, key))
        str_add(p->out, "****");
    else
        show(p, value);
    str_add_char(p->out, '\n');
}

static void print_env(struct printer *p, const struct strv *env)
{
    if (env->len > 0)
        str_add(p->out, "  environment:\n");
    for (size_t i = 0; i < env->len; i++)
        line_pair(p, env->v[i]);
}

static void print_ports(struct printer *p, const struct plan_container *c)
{
    for (size_t i = 0; i < c->ports.len; i++) {
        const struct plan_port *port = &c->ports.v[i];

        str_printf(p->out, "  port: %d/%s", port->container,
                   port->protocol == PLAN_UDP ? "udp" : "tcp");
        if (port->published && port->host == 0)
            str_add(p->out, " on 127.0.0.1, any port");
        else if (port->published)
            str_printf(p->out, " on 127.0.0.1:%d%s", port->host,
                       port->host_fixed ? "" : " or another port");
        str_add_char(p->out, '\n');
    }
}

static void print_mounts(struct printer *p, const struct plan_container *c)
{
    for (size_t i = 0; i < c->mounts.len; i++) {
        const struct plan_mount *m = &c->mounts.v[i];

        str_add(p->out, "  mount: ");
        show(p, m->target);
        if (m->memory)
            str_add(p->out, " in memory");
        else if (m->host != NULL)
            str_printf(p->out, " from this machine's %s", m->host);
        else
            str_printf(p->out, " from volume %s",
                       p->plan->volumes.v[m->volume].name);
        str_add(p->out, m->read_only ? ", read only\n" : "\n");
    }
}

static void print_files(struct printer *p, const struct plan_container *c)
{
    for (size_t i = 0; i < c->files.len; i++) {
        const char *text = c->files.v[i].text;

        line(p, "file", c->files.v[i].path);
        while (*text != '\0') {
            size_t len = strcspn(text, "\n");
            cleanup_free char *one = str_dup_len(text, len);

            str_add(p->out, "    | ");
            show(p, one);
            str_add_char(p->out, '\n');
            text += len + (text[len] == '\n');
        }
    }
}

static void print_rights(struct printer *p, const struct plan_container *c)
{
    line(p, "user", c->user);
    if (c->privileged)
        line(p, "privileged", "yes");
    if (c->read_only_root)
        line(p, "root", "read only");
    if (c->no_new_privileges)
        line(p, "new privileges", "no");
    line_list(p, "capabilities added", &c->cap_add);
    line_list(p, "capabilities dropped", &c->cap_drop);
}

static void show_build(struct printer *p, const struct plan_build *b)
{
    show(p, b->dockerfile);
    str_add(p->out, " in ");
    show(p, b->path);
    str_add_char(p->out, '\n');
}

static void print_container(struct printer *p, const struct plan_container *c)
{
    if (c->build >= 0) {
        str_add(p->out, "  image: built from ");
        show_build(p, &p->plan->builds.v[c->build]);
    }
    line(p, "image", c->image);
    line_argv(p, "command", &c->argv);
    print_env(p, &c->env);
    print_ports(p, c);
    print_mounts(p, c);
    print_files(p, c);
    line_list(p, "names", &c->aliases);
    print_rights(p, c);
}

/* ---- the four kinds of things ------------------------------------------ */

static void print_build(struct printer *p, const struct plan_build *b)
{
    str_add(p->out, "\nbuild ");
    show_build(p, b);
    line_list(p, "for", &b->services);
}

static void print_volume(struct printer *p, const struct plan_volume *v)
{
    str_printf(p->out, "\nvolume %s\n", v->name);
    if (v->resource != NULL)
        str_printf(p->out, "  %s: %s\n",
                   v->kind == PLAN_VOLUME_EFS ? "efs" : "data of", v->resource);
    if (v->kind == PLAN_VOLUME_EFS)
        str_printf(p->out, "  owner: %ld:%ld\n  mode: %04o\n", v->uid, v->gid,
                   v->mode);
    line(p, "directory", v->subpath);
    if (v->keep)
        str_add(p->out, "  kept: yes\n");
}

static void print_vars(struct printer *p, const struct plan_resource *r)
{
    const char *suffix;

    if (r->vars.url == NULL)
        return;
    str_add(p->out, "  variables:\n");
    for (size_t i = 0; (suffix = vars_suffix(i)) != NULL; i++) {
        cleanup_free char *key = vars_key(r->name, suffix);
        cleanup_free char *pair =
            xasprintf("%s=%s", key, vars_get(&r->vars, suffix));

        line_pair(p, pair);
    }
}

static void print_template(struct printer *p, const struct plan_resource *r)
{
    cleanup_free char *words = strv_join(&r->server, " ");

    if (r->server.len > 0)
        str_printf(p->out, "  from a template: %s%s%s\n", words,
                   r->server_user == NULL ? "" : ", as ",
                   r->server_user == NULL ? "" : r->server_user);
}

static void print_resource(struct printer *p, const struct plan_resource *r)
{
    str_printf(p->out, "\nresource %s\n  type: ", r->name);
    show(p, r->type);
    str_add_char(p->out, '\n');
    if (r->external)
        str_add(p->out, "  external: yes\n");
    if (r->volume >= 0)
        line(p, "volume", p->plan->volumes.v[r->volume].name);
    if (r->has_container) {
        print_container(p, &r->container);
        line(p, "stand-in", r->standin);
        print_template(p, r);
        str_printf(p->out, "  ready: when %s answers on %d\n",
                   probe_names[r->probe], r->port);
        if (r->container.stop_grace_s > 0)
            str_printf(p->out, "  grace: %u s\n", r->container.stop_grace_s);
    }
    print_vars(p, r);
}

static void print_after(struct printer *p, const struct plan_service *s)
{
    if (s->resources.len == 0)
        return;
    str_add(p->out, "  after:");
    for (size_t i = 0; i < s->resources.len; i++)
        str_printf(p->out, "%s %s", i == 0 ? "" : ",",
                   p->plan->resources.v[s->resources.v[i]].name);
    str_add_char(p->out, '\n');
}

static void print_health(struct printer *p, const struct plan_health *h)
{
    if (h->path == NULL)
        return;
    str_printf(p->out, "  health: %s %d ", h->scheme, h->port);
    show(p, h->path);
    str_printf(p->out, ", after %u s, every %u s, for %u s\n", h->grace_s,
               h->interval_s, h->timeout_s);
}

static void print_service(struct printer *p, const struct plan_service *s)
{
    str_printf(p->out, "\nservice %s\n", s->name);
    if (s->count != 1)
        str_printf(p->out, "  replicas: %d\n", s->count);
    print_container(p, &s->container);
    print_after(p, s);
    if (s->port > 0)
        str_printf(p->out, "  route: %s %d%s\n", s->scheme, s->port,
                   s->internal ? ", internal" : "");
    line_list(p, "domains", &s->domains);
    print_health(p, &s->health);
    line_argv(p, "after start", &s->post_start);
    line_argv(p, "before stop", &s->pre_stop);
    line(p, "test", s->test);
    if (!s->container.init)
        str_add(p->out, "  init process: no\n");
    str_printf(p->out, "  grace: %u s\n", s->container.stop_grace_s);
    if (s->has_init) {
        str_printf(p->out, "\nbefore service %s\n", s->name);
        print_container(p, &s->init_container);
    }
}

static void print_auth(struct printer *p, const struct plan_registry_auth *a)
{
    str_add(p->out, "\nregistry ");
    show(p, a->registry);
    str_add_char(p->out, '\n');
    line(p, "user", a->username);
}

void plan_print(const struct plan *plan, struct str *out)
{
    struct printer p = { .plan = plan, .out = out };

    mask_collect(plan, &p.secrets);
    str_printf(out, "app %s\n", plan->app);
    for (size_t i = 0; i < plan->builds.len; i++)
        print_build(&p, &plan->builds.v[i]);
    for (size_t i = 0; i < plan->volumes.len; i++)
        print_volume(&p, &plan->volumes.v[i]);
    for (size_t i = 0; i < plan->resources.len; i++)
        print_resource(&p, &plan->resources.v[i]);
    for (size_t i = 0; i < plan->services.len; i++)
        print_service(&p, &plan->services.v[i]);
    for (size_t i = 0; i < plan->auths.len; i++)
        print_auth(&p, &plan->auths.v[i]);
    strv_release(&p.secrets);
}
