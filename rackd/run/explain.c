#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "logs/hub.h"
#include "run/internal.h"

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

bool explain_is_pool(const char *words)
{
    return strstr(words, "non-overlapping") != NULL ||
           strstr(words, "address pool") != NULL ||
           strstr(words, "fully subnetted") != NULL;
}

bool explain_is_disk(const char *words)
{
    return strcasestr(words, "no space left on device") != NULL ||
           strcasestr(words, "disk quota exceeded") != NULL;
}

static const struct {
    const char *words, *todo;
} advice[] = {
    { "executable file not found",
      "the image has no such command: check `command` in convox.yml" },
    { "setting rlimit",
      "the engine may not set the limits it is told to: give lower ones as "
      "default_ulimits in its containers.conf" },
    { "permission denied",
      "the command is not executable: chmod +x it in the image" },
    { "no such file or directory",
      "check `command` in convox.yml and the image's ENTRYPOINT" },
    { "port is already allocated", "see who listens there: ss -ltnp" },
    { "address already in use", "see who listens there: ss -ltnp" },
    { "exec format error",
      "the image is for another architecture than this machine's" },
    { "unable to apply caps",
      "this engine cannot give a container all rights: is `privileged` "
      "needed?" },
    { "invalid mount", "check `volumes` in convox.yml" },
};

const char *explain_engine(const char *words)
{
    if (explain_is_pool(words))
        return "remove networks nobody uses: docker network prune";
    if (explain_is_disk(words))
        return "the disk is full: see cvx doctor and docker system df, and "
               "docker system prune removes what nothing uses";
    for (size_t i = 0; i < sizeof(advice) / sizeof(*advice); i++)
        if (strcasestr(words, advice[i].words) != NULL)
            return advice[i].todo;
    return NULL;
}

static const char *todo_of_service(const struct item *it)
{
    if (it->exit_status == 0)
        return "a service must keep running: start its program in the "
               "foreground";
    if (!it->s->spec.exit_on_failure)
        return NULL;
    return it->lines == 0 ? "with --no-exit-on-failure it is started again"
                          : "mend what its lines say; with "
                            "--no-exit-on-failure it is started again";
}

const char *explain_exit_todo(const struct item *it)
{
    if (it->oom)
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
    if (it->exit_status == 126)
        return "is it executable? chmod +x it in the Dockerfile";
    if (it->exit_status == 127)
        return "check `command` in convox.yml: is that program in the image?";
    return todo_of_service(it);
}

char *explain_output(const struct item *it)
{
    size_t count = it->lines < LAST_LINES ? it->lines : LAST_LINES;
    char *lines = hub_last(it->s->spec.hub, it->source, count);

    if (lines != NULL && *lines == '\0') {
        free(lines);
        return NULL;
    }
    return lines;
}
