/* Calls that concern networks: create, remove, connect, list. One function per
 * call; engine.h has the contract of each. */
#include <stdio.h>

#include "base/mem.h"
#include "base/str.h"
#include "engine/client.h"
#include "engine/json.h"
#include "engine/objects.h"
#include "engine/path.h"

struct engine_call *engine_network_create(struct engine *e,
                                          const struct engine_network *n,
                                          engine_id_cb cb, void *user)
{
    cJSON *root = cJSON_CreateObject(), *config;
    cleanup_free char *json = NULL;

    cJSON_AddStringToObject(root, "Name", n->name);
    /* Before API 1.44 two networks could have the same name. */
    cJSON_AddTrueToObject(root, "CheckDuplicate");
    cJSON_AddStringToObject(root, "Driver", "bridge");
    json_add_pairs(root, "Labels", n->labels);
    if (n->subnet != NULL) {
        config = cJSON_CreateObject();
        cJSON_AddStringToObject(config, "Subnet", n->subnet);
        cJSON_AddItemToArray(
            cJSON_AddArrayToObject(cJSON_AddObjectToObject(root, "IPAM"),
                                   "Config"),
            config);
    }
    json = json_take_text(root);
    return call_id(e,
                   &(struct request){ .method = "POST",
                                      .path = "/networks/create",
                                      .json = json },
                   cb, user);
}

struct engine_call *engine_network_remove(struct engine *e, const char *id,
                                          engine_done_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/networks/", id, "");
    return call_done(e,
                     &(struct request){ .method = "DELETE",
                                        .path = str_c(&path),
                                        .gone_ok = true },
                     cb, user);
}

static void add_address(cJSON *config, const char *ip)
{
    if (ip != NULL)
        json_add_text(cJSON_AddObjectToObject(config, "IPAMConfig"),
                      "IPv4Address", ip);
}

struct engine_call *engine_network_connect(struct engine *e,
                                           const char *network,
                                           const struct engine_endpoint *end,
                                           engine_done_cb cb, void *user)
{
    cJSON *root = cJSON_CreateObject(), *config;
    cleanup_free char *json = NULL;
    cleanup_str struct str path = { 0 };

    path_begin(&path, "/networks/", network, "/connect");
    cJSON_AddStringToObject(root, "Container", end->container);
    config = cJSON_AddObjectToObject(root, "EndpointConfig");
    json_add_strings(config, "Aliases", end->aliases);
    add_address(config, end->ip);
    json = json_take_text(root);
    return call_done(e,
                     &(struct request){
                         .method = "POST", .path = str_c(&path), .json = json },
                     cb, user);
}

static void read_network(struct engine_object *out, const cJSON *item)
{
    const cJSON *ipam = json_get(json_get(item, "IPAM"), "Config");

    out->id = xstrdup(json_text(item, "Id"));
    out->name = xstrdup(json_text(item, "Name"));
    json_pairs(json_get(item, "Labels"), &out->labels);
    out->subnet = xstrdup(json_text(cJSON_GetArrayItem(ipam, 0), "Subnet"));
}

struct engine_call *engine_network_list(struct engine *e, const char *label,
                                        engine_objects_cb cb, void *user)
{
    cleanup_str struct str path = { 0 };

    str_add(&path, "/networks");
    path_label(&path, label);
    return objects_list(e, str_c(&path), NULL, read_network, cb, user);
}
