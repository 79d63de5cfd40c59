/*
 * The HTTP of a two-way stream: one request by hand, and the errors that may
 * answer it.
 */
#include "net/hijack_http.h"

#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "net/endpoint.h"
#include "net/hijack.h"
#include "net/httphead.h"

void hijack_request(struct str *out, const struct endpoint *e,
                    const struct hijack_spec *spec)
{
    size_t len = spec->json != NULL ? strlen(spec->json) : 0;

    str_printf(out,
               "POST %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
               "Upgrade: tcp\r\nContent-Length: %zu\r\n",
               spec->path, e->host != NULL ? e->shown : "engine", len);
    if (spec->json != NULL)
        str_printf(out, "Content-Type: application/json\r\n\r\n%s", spec->json);
    else
        str_add(out, "\r\n");
}

static enum err_code code_of(int status)
{
    switch (status) {
    case 400:
        return ERR_INVALID;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    default:
        return ERR_PROTOCOL;
    }
}

int hijack_refusal(const struct httphead *head, const struct endpoint *e,
                   struct err *err)
{
    const char *text = str_c(&head->body);
    size_t len = strlen(text);

    while (len > 0 && text[len - 1] == '\n')
        len--;
    if (len == 0)
        return err_set(err, code_of(head->status), "HTTP %d: %s", head->status,
                       e->shown);
    return err_set(err, code_of(head->status), "%.*s", (int)len, text);
}
