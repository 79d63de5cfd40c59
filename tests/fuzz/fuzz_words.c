/*
 * The plan's readers of free text: a command, a URL, and what is masked. The
 * input is one string; what is checked besides memory: a command is never
 * lost, and a password never shows.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "plan/command.h"
#include "plan/mask.h"
#include "plan/plan.h"
#include "plan/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_command(const char *text)
{
    cleanup_strv struct strv argv = { 0 };

    command_split(text, &argv);
    if (argv.len == 0 && text[strspn(text, " \t\r\n\v\f\\")] != '\0')
        abort();
}

static void check_url(const char *text)
{
    cleanup_url struct url u;

    if (url_parse(text, &u) != (*u.host != '\0') || u.port < 0)
        abort();
}

static void check_mask(const char *text)
{
    cleanup_strv struct strv known = { 0 };
    cleanup_str struct str out = { 0 };

    strv_add(&known, "hunter2x");
    mask_add(text, &known, &out);
    if (strstr(str_c(&out), "hunter2x") != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_free char *text = str_dup_len((const char *)data, size);
    cleanup_free char *name = plan_app_name(text);

    check_command(text);
    check_url(text);
    check_mask(text);
    return 0;
}
