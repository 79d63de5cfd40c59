/* Any bytes as a manifest: no crash, no leak, and every place is a place. */
#include <stdint.h>
#include <stdlib.h>

#include "base/env.h"
#include "base/str.h"
#include "manifest/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct diags *diags, size_t size)
{
    for (size_t i = 0; i < diags->len; i++)
        if (diags->v[i].pos.line > size + 1 || diags->v[i].pos.col > size + 1)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = str_dup_len((const char *)data, size);
    struct env env = { 0 };
    struct diags diags = { 0 };
    struct str out = { 0 };
    struct manifest *m;

    env_set(&env, "A", "a: [1, {b: c}]", "fuzz");
    env_set(&env, "B", "", "fuzz");
    env_set(&env, "HOST", "h\xc3\xa9.example.org\n", "fuzz");
    m = manifest_load(text, size, &env, &diags);
    if (m == NULL && diags.errors == 0)
        abort();
    check(&diags, size);
    diags_print(&diags, DIAG_ERROR, "f", text, size, &out);
    diags_print(&diags, DIAG_WARNING, "f", text, size, &out);
    free(text); /* before the tree: nothing of it may point there */
    manifest_free(m);
    diags_release(&diags);
    str_release(&out);
    env_release(&env);
    return 0;
}
