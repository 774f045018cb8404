/* field.h: the fields that an app gives for a response, as the core takes them: bytes.
 *
 * Owns what keeps these bytes where they are, from field_list_read() to field_list_free(). An app may give any iterable of any pairs of
 * bytes-like objects; types, texts and order of what is raised for others are those that uvicorn's own statements meet.
 */
#ifndef BRIDGE_FIELD_H
#define BRIDGE_FIELD_H

#include <Python.h>

#include "../core/server.h"

#define FIELDS_ON_STACK 64

struct field_list {
    struct response_field *at;
    size_t count;
    PyObject *pairs; /* list of tuples of two bytes each */
    struct response_field on_stack[FIELDS_ON_STACK];
};

/* Read PAIRS, a list, a reference that it takes. 0, or -1 with an exception: then `count` fields are those that uvicorn would have looked
 * at before, the last one perhaps with an empty value. To be freed in both cases. */
int field_list_read(struct field_list *list, PyObject *pairs);
void field_list_free(struct field_list *list);

#endif
