/*
 * Turns exit statuses and the engine's reasons into words for the user: what it
 * means and what to do. Called wherever a session fails or warns.
 */
#include "run/explain.h"

#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "engine/reason.h"
#include "logs/hub.h"
#include "run/item.h"
#include "run/session_parts.h"

#define LAST_LINES 20

static const char *meaning_of(int status, bool oom)
{
    if (oom)
        return "out of memory";
    switch (status) {
    case 125:
        return "the engine could not run it";
    case 126:
        return "the command cannot be executed";
    case 127:
        return "command not found";
    default:
        return NULL;
    }
}

char *explain_exit(int status, bool oom)
{
    const char *meaning = meaning_of(status, oom);

    if (meaning != NULL)
        return xasprintf("exit status %d (%s)", status, meaning);
    if (status > 128 && status < 128 + NSIG &&
        sigabbrev_np(status - 128) != NULL)
        return xasprintf("exit status %d (killed by SIG%s)", status,
                         sigabbrev_np(status - 128));
    return xasprintf("exit status %d", status);
}

#define ASK_COMMAND "check `command` in convox.yml"

static const char *const advice[] = {
    [REASON_POOL_EMPTY] = "remove networks nobody uses: docker network prune",
    [REASON_DISK_FULL] =
        "the disk is full: see cvx doctor and docker system df, and "
        "docker system prune removes what nothing uses",
    [REASON_COMMAND_NOT_FOUND] = "the image has no such command: " ASK_COMMAND,
    [REASON_RLIMIT] =
        "the engine may not set the limits it is told to: give lower ones as "
        "default_ulimits in its containers.conf",
    [REASON_PERMISSION_DENIED] =
        "the command is not executable: chmod +x it in the image",
    [REASON_NO_SUCH_FILE] = ASK_COMMAND " and the image's ENTRYPOINT",
    [REASON_PORT_TAKEN] = "see who listens there: ss -ltnp",
    [REASON_EXEC_FORMAT] =
        "the image is for another architecture than this machine's",
    [REASON_CAPS] = "this engine cannot give a container all rights: is "
                    "`privileged` needed?",
    [REASON_INVALID_MOUNT] = "check `volumes` in convox.yml",
    [REASON_NETWORK] = NULL,
};

const char *explain_engine(const char *text)
{
    return advice[engine_reason(text)];
}

/* A resource's command is not the user's: its image is. */
const char *explain_step(const struct item *it, const char *text)
{
    enum engine_reason reason = engine_reason(text);

    if (it->kind == ITEM_RESOURCE &&
        (reason == REASON_COMMAND_NOT_FOUND || reason == REASON_NO_SUCH_FILE))
        return "is it an image of that type? check `image` of the resource in "
               "convox.yml";
    return advice[reason];
}

static const char *todo_of_service(const struct item *it)
{
    if (it->exit.status == 0)
        return "a service must keep running: start its program in the "
               "foreground";
    if (!it->s->spec.exit_on_failure)
        return NULL;
    return it->output.lines == 0
               ? "with --no-exit-on-failure it is started again"
               : "mend what its lines say; with "
                 "--no-exit-on-failure it is started again";
}

const char *explain_exit_todo(const struct item *it)
{
    if (it->exit.oom)
        return "it took more memory than there is: free some, or make it use "
               "less";
    switch (it->kind) {
    case ITEM_RESOURCE:
        return "check `image` and `options` of the resource in convox.yml";
    case ITEM_INIT:
        return "mend `initContainer` of that service in convox.yml";
    case ITEM_SANDBOX:
        return NULL;
    case ITEM_SERVICE:
        break;
    }
    if (it->exit.status == 126)
        return "is it executable? chmod +x it in the Dockerfile";
    if (it->exit.status == 127)
        return "check `command` in convox.yml: is that program in the image?";
    return todo_of_service(it);
}

char *explain_output(const struct item *it)
{
    size_t count =
        it->output.lines < LAST_LINES ? it->output.lines : LAST_LINES;
    char *lines = hub_last(it->s->spec.hub, it->source, count);

    if (lines != NULL && *lines == '\0') {
        free(lines);
        return NULL;
    }
    return lines;
}
