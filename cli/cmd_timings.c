/* `cvx timings`: what the last start of an app spent its time on, as text, as
 * an HTML page or as JSON. timings.c and its two companions do the layout. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/app.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/query.h"
#include "cli/timings.h"
#include "cli/when.h"

/* The app need not run, since rackd has its history on disk; so rackd is
 * started. */
static cJSON *fetch(struct cli *cli, struct err *err)
{
    cleanup_client struct client c = { 0 };
    cleanup_free char *target = app_target(&cli->flags, "/timings", err);

    if (target == NULL || client_open(&c, CLIENT_START, err) < 0)
        return NULL;
    return client_call(&c, "GET", target, NULL, err);
}

static int write_file(const char *path, const struct str *text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t done = 0;
    ssize_t n = 0;

    while (fd >= 0 && done < text->len) {
        n = write(fd, text->s + done, text->len - done);
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    if (fd < 0 || n < 0) {
        err_set(err, ERR_SYSTEM, "cannot write %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (close(fd) < 0)
        return err_set(err, ERR_SYSTEM, "cannot write %s: %s", path,
                       strerror(errno));
    return 0;
}

static int show(struct cli *cli, const struct timings *t, struct err *err)
{
    const char *html = flags_get(&cli->flags, "html");
    cleanup_str struct str out = { 0 };

    if (html == NULL) {
        timings_text(t, &cli->out, when_unix_ms() / 1000, &out);
        term_put(&cli->out, &out);
        return CLI_OK;
    }
    timings_html(t, &out);
    if (write_file(html, &out, err) < 0)
        return -1;
    term_printf(&cli->out, "wrote %s\n", html);
    return CLI_OK;
}

int cmd_timings(struct cli *cli, struct err *err)
{
    struct timings t;
    cJSON *answer;
    int status = CLI_OK;

    if (flags_has(&cli->flags, "json") && flags_has(&cli->flags, "html"))
        return err_set(err, ERR_INVALID, "give --json or --html, not both");
    answer = fetch(cli, err);
    if (answer == NULL)
        return -1;
    timings_read(&t, answer);
    if (!query_print_json(cli, answer))
        status = show(cli, &t, err);
    timings_release(&t);
    cJSON_Delete(answer);
    return status;
}
