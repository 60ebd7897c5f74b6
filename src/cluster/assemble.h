/* Begin and end of documents, lists and objects. */
#ifndef SVCDNS_CLUSTER_ASSEMBLE_H
#define SVCDNS_CLUSTER_ASSEMBLE_H

#include "decode.h"

void assemble_begin_document(struct decoder *decoder);
bool assemble_end_document(struct decoder *decoder);
void assemble_begin_items(struct decoder *decoder); /* the document is a List */
void assemble_begin_item(struct decoder *decoder);
bool assemble_end_item(struct decoder *decoder);
void assemble_begin_event(struct decoder *decoder);
bool assemble_end_event(struct decoder *decoder);
bool assemble_end_event_object(struct decoder *decoder);

#endif
