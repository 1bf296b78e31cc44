/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a balancer asked, and the answer: see asked.h. */
#include "agent/registration/asked.h"

void asked_forget(struct asked *asked)
{
	asked->ports = (struct ports){ 0 };
}

int asked_set_answer(struct asked *asked, const struct proto_ports_status *answer)
{
	if (answer->n_ports != asked->ports.len || answer->digest != asked->ports.digest)
		return -ESTALE;
	asked->ports.answer = *answer;
	return 0;
}

void asked_set_others(struct asked *asked, const struct proto_other *others, size_t n_others)
{
	asked->n_others = MIN(n_others, (size_t)ASKED_OTHERS_MAX);
	memcpy(asked->others, others, asked->n_others * sizeof(*others));
}

void asked_fill(struct asked *asked, struct proto_report *report)
{
	report->ports = asked->ports.answer;
	if (asked->n_others == 0)
		return;
	asked->next_other = (asked->next_other + 1) % asked->n_others;
	report->other = asked->others[asked->next_other];
}
