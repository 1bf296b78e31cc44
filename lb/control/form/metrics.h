/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status document as Prometheus's text: the metrics dsr_… of the balancer, which dsr-lb(8) lists. */
#pragma once

#include "common/http/exposition.h"
#include "lb/control/form/form.h"

struct backend;

extern const struct status_form metrics_form;

/* The table, for the test that holds the manual page to it. */
const struct exposition_family *metrics_families(size_t *ret_len);

/* Parts of it, for tests: from the document (without virtual servers), and from one virtual server of it. */
void metrics_add_document(struct exposition *exposition, const json_t *document);
void metrics_add_server(struct exposition *exposition, const json_t *server, bool per_backend);
/* And what a backend is in all its virtual servers; `now_us` is the clock of its times, `realtime_us` the same moment since 1970. */
void metrics_add_backend(struct exposition *exposition, const struct backend *backend,
	uint64_t now_us, uint64_t realtime_us);
