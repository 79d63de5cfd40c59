/*
 * label -- the keys of the labels on everything that we make on an engine.
 * Nothing is ever removed that does not carry our LABEL_RACK.
 *
 *     strv_printf(&labels, LABEL_RACK "=%s", rack_id);
 *     strv_value(&labels, LABEL_RACK)
 */
#ifndef BASE_LABEL_H
#define BASE_LABEL_H

#define LABEL_RACK     "cvx.rack"    /* the rack's id */
#define LABEL_OWNER    "cvx.owner"   /* the rackd that made it: guard/owner.h */
#define LABEL_SESSION  "cvx.session" /* the session's id */
#define LABEL_APP      "cvx.app"     /* the app's name */
#define LABEL_KIND     "cvx.kind"    /* "service", "resource", "network", ... */
#define LABEL_NAME     "cvx.name"    /* of the service, resource, ... */
#define LABEL_RELEASE  "cvx.release" /* the release that a service runs */
#define LABEL_RESOURCE "cvx.resource" /* whose data a kept volume has */
#define LABEL_KEEP     "cvx.keep"     /* "true": outlives its session */
#define LABEL_BUILD    "cvx.build"    /* an image that we built */
#define LABEL_STANDIN  "cvx.standin"  /* an image that stands in for another */

/* Of templates, which are images: */
#define LABEL_TEMPLATE       "cvx.template"       /* its name's hash */
#define LABEL_TEMPLATE_RACK  "cvx.template.rack"  /* the rack that made it */
#define LABEL_TEMPLATE_KIND  "cvx.template.kind"  /* the resource's type */
#define LABEL_TEMPLATE_IMAGE "cvx.template.image" /* what it was made from */
#define LABEL_TEMPLATE_BASE  "cvx.template.base"  /* that image's id */

#endif /* BASE_LABEL_H */
