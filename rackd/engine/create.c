/* Writes a container's settings as the JSON of POST /containers/create.
 * container.c calls it; nothing else knows these keys. */
#include "engine/create.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "engine/json.h"

/* The member `key`, which is added as an empty object when it is absent. */
static cJSON *sub(cJSON *parent, const char *key)
{
    cJSON *object = cJSON_GetObjectItemCaseSensitive(parent, key);

    return object != NULL ? object : cJSON_AddObjectToObject(parent, key);
}

static void add_true(cJSON *object, const char *key, bool value)
{
    if (value)
        cJSON_AddTrueToObject(object, key);
}

static void add_port(cJSON *root, cJSON *host, const struct engine_port *p)
{
    char key[32], number[16] = "";
    cJSON *bindings, *binding, *list;

    snprintf(key, sizeof(key), "%d/%s", p->container, p->udp ? "udp" : "tcp");
    if (json_get(sub(root, "ExposedPorts"), key) == NULL)
        sub(sub(root, "ExposedPorts"), key);
    if (p->host_ip == NULL)
        return;
    if (p->host > 0) /* an empty text lets the engine choose */
        snprintf(number, sizeof(number), "%d", p->host);
    bindings = sub(host, "PortBindings");
    list = cJSON_GetObjectItemCaseSensitive(bindings, key);
    if (list == NULL)
        list = cJSON_AddArrayToObject(bindings, key);
    binding = cJSON_CreateObject();
    cJSON_AddStringToObject(binding, "HostIp", p->host_ip);
    cJSON_AddStringToObject(binding, "HostPort", number);
    cJSON_AddItemToArray(list, binding);
}

static void add_mount(cJSON *mounts, const struct engine_mount *m)
{
    static const char *const types[] = { [MOUNT_VOLUME] = "volume",
                                         [MOUNT_BIND] = "bind",
                                         [MOUNT_TMPFS] = "tmpfs" };
    cJSON *mount = cJSON_CreateObject();

    cJSON_AddStringToObject(mount, "Type", types[m->kind]);
    json_add_text(mount, "Source", m->source);
    cJSON_AddStringToObject(mount, "Target", m->target);
    add_true(mount, "ReadOnly", m->read_only);
    if (m->kind == MOUNT_VOLUME && m->no_copy)
        add_true(sub(mount, "VolumeOptions"), "NoCopy", true);
    if (m->kind == MOUNT_VOLUME && m->labels != NULL)
        json_add_pairs(sub(mount, "VolumeOptions"), "Labels", m->labels);
    cJSON_AddItemToArray(mounts, mount);
}

/* Both are needed: NetworkMode alone would join the network without aliases,
 * and EndpointsConfig alone would join the default bridge as well. */
static void add_network(cJSON *root, cJSON *host,
                        const struct engine_container *c)
{
    cJSON *endpoint;

    if (c->network == NULL)
        return;
    cJSON_AddStringToObject(host, "NetworkMode", c->network);
    if (strcmp(c->network, "none") == 0 || strcmp(c->network, "host") == 0 ||
        str_starts(c->network, "container:"))
        return;
    endpoint =
        sub(sub(sub(root, "NetworkingConfig"), "EndpointsConfig"), c->network);
    json_add_strings(endpoint, "Aliases", c->aliases);
    if (c->ip != NULL)
        json_add_text(sub(endpoint, "IPAMConfig"), "IPv4Address", c->ip);
}

static void add_security(cJSON *host, const struct engine_container *c)
{
    cJSON *options = cJSON_CreateArray();

    if (c->no_new_privileges)
        cJSON_AddItemToArray(options, cJSON_CreateString("no-new-privileges"));
    if (c->uses_engine) {
        cJSON_AddItemToArray(options, cJSON_CreateString("label=disable"));
        cJSON_AddStringToObject(host, "UsernsMode", "host");
    }
    if (cJSON_GetArraySize(options) > 0)
        cJSON_AddItemToObject(host, "SecurityOpt", options);
    else
        cJSON_Delete(options);
}

static void add_host(cJSON *root, const struct engine_container *c, bool podman)
{
    cJSON *host = sub(root, "HostConfig"), *mounts;
    const char *driver = c->log_driver;

    for (size_t i = 0; i < c->port_count; i++)
        add_port(root, host, &c->ports[i]);
    if (c->mount_count > 0) {
        mounts = cJSON_AddArrayToObject(host, "Mounts");
        for (size_t i = 0; i < c->mount_count; i++)
            add_mount(mounts, &c->mounts[i]);
    }
    add_network(root, host, c);
    add_true(host, "Init", c->init);
    add_true(host, "Privileged", c->privileged);
    add_true(host, "ReadonlyRootfs", c->read_only_root);
    add_true(host, "AutoRemove", c->auto_remove);
    if (c->cpu_shares > 0)
        cJSON_AddNumberToObject(host, "CpuShares", c->cpu_shares);
    add_security(host, c);
    json_add_strings(host, "CapAdd", c->cap_add);
    json_add_strings(host, "CapDrop", c->cap_drop);
    if (driver != NULL && podman && strcmp(driver, "local") == 0)
        driver = "k8s-file";
    if (driver != NULL)
        json_add_text(sub(host, "LogConfig"), "Type", driver);
    if (c->restart != NULL)
        json_add_text(sub(host, "RestartPolicy"), "Name", c->restart);
}

char *create_json(const struct engine_container *c, bool podman)
{
    cJSON *root = cJSON_CreateObject(), *test;

    cJSON_AddStringToObject(root, "Image", c->image);
    json_add_strings(root, "Cmd", c->argv);
    json_add_strings(root, "Entrypoint", c->entrypoint);
    json_add_strings(root, "Env", c->env);
    json_add_pairs(root, "Labels", c->labels);
    json_add_text(root, "User", c->user);
    json_add_text(root, "Hostname", c->hostname);
    json_add_text(root, "WorkingDir", c->working_dir);
    add_true(root, "OpenStdin", c->open_stdin);
    add_true(root, "StdinOnce", c->stdin_once);
    add_true(root, "Tty", c->tty);
    if (c->no_healthcheck) {
        test = cJSON_AddArrayToObject(sub(root, "Healthcheck"), "Test");
        cJSON_AddItemToArray(test, cJSON_CreateString("NONE"));
    }
    json_add_text(root, "StopSignal", c->stop_signal);
    if (c->stop_grace_s > 0)
        cJSON_AddNumberToObject(root, "StopTimeout", c->stop_grace_s);
    add_host(root, c, podman);
    return json_take_text(root);
}
