// SPDX-License-Identifier: GPL-2.0-or-later
// The live page: asks api/v1/status again and again and shows it. Whatever a document says is put in as text,
// never as markup: names and reasons are other hosts' words. Elements are kept and changed in place, so that
// focus, selection and folds survive each answer.
(() => {
	"use strict";

	const INTERVAL_MS = 2000, ANSWER_MS = 15000, RETRY_MS = 3000;
	const POINTS = 60; // of a chart: two minutes
	const FOLD_OVER = 12; // so many that are up stand open; more are one line
	const EVENTS = 30;
	const SIGNS = { up: "●", pending: "○", drain: "◐", maint: "■", down: "✕" };
	const STATES = ["down", "pending", "drain", "maint", "up"];
	const VERDICTS = [
		{ name: "well", sign: "✓", words: "All is well" },
		{ name: "degraded", sign: "▲", words: "Degraded" },
		{ name: "none", sign: "✕", words: "No service" },
	];

	const byId = (id) => document.getElementById(id);
	const filter = { text: "", states: new Set() };
	const series = new Map(); // of "SERVER/BACKEND COUNTER": what it was at each answer
	const known = new Map(); // the state of "SERVER/BACKEND" at the last answer
	const unfolded = new Set();
	const view = { document: null, order: "trouble", paused: false, failedSince: 0, stream: null, streams: false, timer: 0 };

	// ---- elements ----

	function make(name, properties, ...children) {
		const element = document.createElement(name);
		Object.assign(element, properties);
		element.append(...children);
		return element;
	}

	function say(element, text) {
		text = String(text ?? "");
		if (element.textContent !== text)
			element.textContent = text;
	}

	// The children of `parent` become those of `items`, each known by its key.
	function sync(parent, items, key, create, update) {
		const kept = parent.kept ??= new Map();
		const seen = new Set();
		let place = parent.firstElementChild;

		while (place && place.key === undefined) // what was there before, as a heading
			place = place.nextElementSibling;
		for (const item of items) {
			const name = key(item);
			let child = kept.get(name);

			if (seen.has(name))
				continue;
			seen.add(name);
			if (!child) {
				child = create(item);
				child.key = name;
				kept.set(name, child);
			}
			update(child, item);
			if (child === place)
				place = place.nextElementSibling;
			else
				parent.insertBefore(child, place);
		}
		for (const [name, child] of kept)
			if (!seen.has(name)) {
				child.remove();
				kept.delete(name);
			}
	}

	function lines(parent, texts) {
		sync(parent, texts.map((text, idx) => ({ text, idx })), (item) => item.idx,
			() => make("li"), (child, item) => say(child, item.text));
	}

	function chart(words) {
		const ns = "http://www.w3.org/2000/svg";
		const svg = document.createElementNS(ns, "svg");
		const base = document.createElementNS(ns, "line");
		const curve = document.createElementNS(ns, "polyline");

		svg.setAttribute("class", "chart");
		svg.setAttribute("viewBox", `0 0 ${POINTS - 1} 20`);
		svg.setAttribute("preserveAspectRatio", "none");
		svg.setAttribute("role", "img");
		svg.setAttribute("aria-label", words);
		for (const [name, value] of [["x1", 0], ["x2", POINTS - 1], ["y1", 20], ["y2", 20]])
			base.setAttribute(name, value);
		svg.append(base, curve);
		return svg;
	}

	function draw(svg, rates) {
		const top = Math.max(...rates, 1e-9);
		const begin = POINTS - rates.length;

		svg.lastElementChild.setAttribute("points",
			rates.map((rate, idx) => `${begin + idx},${(20 - 19 * rate / top).toFixed(1)}`).join(" "));
	}

	// ---- numbers ----

	function amount(value) {
		const units = ["", "k", "M", "G", "T", "P"];
		let idx = 0;

		for (; value >= 9999.5 || (idx > 0 && value >= 999.5); idx++)
			value /= 1000;
		return (idx > 0 && value < 99.5 || value > 0 && value < 9.95 && value % 1 ? value.toFixed(1) : value.toFixed(0)) + units[idx];
	}

	const percent = (part) => part === null ? "–" : `${(100 * part).toFixed(part < 0.0995 ? 1 : 0)} %`;

	function age(seconds) {
		const steps = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
		const [size, unit] = steps.find(([least]) => seconds >= least) ?? [1, "s"];

		return `${Math.floor(seconds / size)} ${unit}`;
	}

	// ---- counters become rates ----

	// A counter that went back, or a daemon that began anew, begins a new chart.
	function count(name, at_s, value) {
		const samples = series.get(name) ?? [];
		const last = samples.at(-1);

		if (last && (value < last.value || at_s < last.at_s))
			samples.length = 0;
		if (!last || at_s > last.at_s || !samples.length)
			samples.push({ at_s, value });
		if (samples.length > POINTS + 1)
			samples.shift();
		samples.touched = at_s;
		series.set(name, samples);
		return samples;
	}

	function rates(name) {
		const samples = series.get(name) ?? [];

		return samples.slice(1).map((sample, idx) =>
			(sample.value - samples[idx].value) / (sample.at_s - samples[idx].at_s));
	}

	const rate = (name) => rates(name).at(-1) ?? 0;
	const growth = (name) => {
		const samples = series.get(name) ?? [];

		return samples.length ? samples.at(-1).value - samples[0].value : 0;
	};

	function remember(doc) {
		const at_s = doc.uptime_s;

		for (const word of ["received", "forwarded", "passed", "dropped"])
			count(`packets ${word}`, at_s, doc.packets[word]);
		for (const [reason, n] of Object.entries(doc.drops ?? {}))
			count(`drop ${reason}`, at_s, n);
		for (const server of doc.virtual_servers) {
			count(`${server.name} syns`, at_s, server.syns);
			count(`${server.name} packets`, at_s, server.packets);
			for (const backend of server.backends) {
				count(`${server.name}/${backend.name} syns`, at_s, backend.syns);
				count(`${server.name}/${backend.name} packets`, at_s, backend.packets);
			}
		}
		for (const [name, samples] of series)
			if (samples.touched !== at_s)
				series.delete(name);
	}

	// Of the new connections that came while the page looked, else of the packets: this part; null: nothing came.
	function traffic(server, backend) {
		for (const counter of ["syns", "packets"]) {
			let all = 0;

			for (const each of server.backends)
				all += growth(`${server.name}/${each.name} ${counter}`);
			if (all > 0)
				return growth(`${server.name}/${backend.name} ${counter}`) / all;
		}
		return null;
	}

	// What the weights say: of all that take new flows, as the daemon does.
	function byWeight(server, backend) {
		const weight = (each) => each.state === "up" ? each.effective_weight : 0;
		const all = server.backends.reduce((sum, each) => sum + weight(each), 0);

		return all > 0 ? weight(backend) / all : 0;
	}

	// ---- the verdict ----

	function problems(doc) {
		const said = [];
		const down = new Map();

		if (doc.inactive_reason || (!doc.active && doc.reason))
			said.push(`not active: ${doc.inactive_reason || doc.reason}`);
		else if (doc.reason)
			said.push(doc.reason);
		for (const server of doc.virtual_servers) {
			if (doc.active && server.ready_reason)
				said.push(server.ready_reason);
			else if (doc.active && !server.ready)
				said.push(`virtual server ${server.name} is not ready`);
			for (const backend of server.backends)
				if (backend.state !== "up")
					down.set(backend.name, backend);
		}
		if (doc.control && doc.control.listening === false)
			said.push(doc.control.listening_reason);
		const worst = [...down.values()].sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state));

		for (const backend of worst.slice(0, 5))
			said.push(`${backend.name}: ${backend.state} for ${age(backend.since_s)}, ${backend.reason}`);
		if (down.size > 5)
			said.push(`and ${down.size - 5} more backends are not up`);
		for (const claim of doc.claims ?? [])
			if (claim.last_s < 300)
				said.push(`${claim.vip} is claimed by ${claim.backend ?? "an unknown host"} (${claim.mac})`);
		for (const other of doc.balancers ?? [])
			if (other.table_digests_differ?.length)
				said.push(`the balancer ${other.name ?? other.address} has other tables of ${other.table_digests_differ.join(", ")}`);
		return said;
	}

	function grade(doc, said) {
		if (doc.health !== undefined)
			return VERDICTS[Math.min(doc.health, 2)];
		return VERDICTS[doc.virtual_servers.some((server) => !server.ready) ? 2 : said.length ? 1 : 0];
	}

	function verdict(name, { name: kind, sign, words }, said) {
		byId("verdict").className = kind;
		say(byId("verdict").firstElementChild, sign);
		say(byId("verdict-words"), words);
		lines(byId("problems"), said);
		say(byId("name"), name);
		document.title = `${sign} ${name}`;
	}

	// ---- the parts of a balancer ----

	function card(item) {
		return make("div", { className: `card ${item.name}` }, make("div", { textContent: item.words, className: "dim" }),
			make("div", { className: "value number" }), chart(`${item.words}, the last two minutes`));
	}

	function drawTotals() {
		const totals = ["received", "forwarded", "passed", "dropped"]
			.map((name) => ({ name, words: `packets ${name}` }));

		sync(byId("totals"), totals, (item) => item.name, card, (element, item) => {
			say(element.children[1], `${amount(rate(`packets ${item.name}`))}/s`);
			draw(element.children[2], rates(`packets ${item.name}`));
		});
	}

	const COLUMNS = ["Backend", "State", "Reason", "Weight", "Traffic / weight", "Requests", "Packets", "Established", "Heartbeat"];

	function row() {
		const tr = make("tr");

		COLUMNS.forEach((label, idx) => {
			const td = make("td", { className: idx === 0 ? "first" : idx === 2 ? "reason" : "number" });

			td.dataset.label = label;
			tr.append(td);
		});
		const [first, state, , , share, , packets] = tr.children;
		first.append(make("strong"), make("small"));
		state.append(make("span", { className: "badge" }, make("span", { className: "sign", ariaHidden: "true" }),
			" ", make("span")), make("small"));
		share.append(make("span", { className: "bar", ariaHidden: "true" }, make("i"), make("b")), make("small"));
		packets.append(make("span"), chart("packets a second"));
		return tr;
	}

	function heartbeat(backend) {
		if (backend.source === "static")
			return "no agent";
		return backend.heartbeats_missed ? `${backend.heartbeats_missed} missed` : `${(backend.heartbeat_rtt_us / 1000).toFixed(1)} ms`;
	}

	function drawRow(tr, { server, backend }) {
		const [first, state, reason, weight, share, requests, packets, established, beat] = tr.children;
		const name = `${server.name}/${backend.name}`;
		const part = traffic(server, backend), due = byWeight(server, backend);
		const badge = state.firstElementChild;

		tr.dataset.backend = backend.name;
		tr.dataset.state = badge.parentElement.dataset.state = backend.state;
		say(first.children[0], backend.name);
		say(first.children[1], backend.address + (backend.backup ? ", backup" : ""));
		badge.className = `badge ${backend.state}`;
		say(badge.children[0], SIGNS[backend.state] ?? "?");
		say(badge.children[1], backend.state);
		say(state.children[1], `for ${age(backend.since_s)}`);
		say(reason, backend.reason);
		say(weight, backend.effective_weight === backend.weight ? backend.weight
			: `${amount(backend.effective_weight)} of ${backend.weight}`);
		share.firstElementChild.children[0].style.width = `${100 * (part ?? 0)}%`;
		share.firstElementChild.children[1].style.left = `${100 * due}%`;
		say(share.children[1], `${percent(part)} / ${percent(due)}`);
		say(requests, `${amount(rate(`${name} syns`))}/s`);
		say(packets.children[0], `${amount(rate(`${name} packets`))}/s`);
		draw(packets.children[1], rates(`${name} packets`));
		say(established, backend.source === "static" ? "" : amount(backend.established));
		say(beat, heartbeat(backend));
	}

	function matches(server, backend) {
		const words = `${server.name} ${backend.name} ${backend.address} ${backend.state} ${backend.reason}`.toLowerCase();

		return (!filter.states.size || filter.states.has(backend.state)) && words.includes(filter.text);
	}

	const collate = new Intl.Collator("en", { numeric: true }).compare;

	function ordered(server) {
		const rank = {
			trouble: (each) => STATES.indexOf(each.state),
			name: () => 0,
			requests: (each) => -rate(`${server.name}/${each.name} syns`),
			deviation: (each) => -Math.abs((traffic(server, each) ?? byWeight(server, each)) - byWeight(server, each)),
		}[view.order];

		return server.backends.filter((each) => matches(server, each))
			.map((backend) => ({ server, backend, rank: rank(backend) }))
			.sort((a, b) => a.rank - b.rank || collate(a.backend.name, b.backend.name));
	}

	function serverElement(server) {
		const head = make("tr");
		const fold = make("button", { type: "button" });
		const summary = make("summary", {}, make("span", { className: "title" }), make("span", { className: "badge" }),
			make("span", { className: "number" }), make("span", { className: "dim" }));
		const charts = make("div", { className: "charts" });
		const table = make("table", {}, make("thead", {}, head), make("tbody"),
			make("tbody", { className: "fold" }, make("tr", {}, make("td", { colSpan: COLUMNS.length }, fold))), make("tbody"));
		const element = make("details", { className: "server" }, summary, charts, table, make("p", { className: "dim", textContent: "It has no backend." }));

		COLUMNS.forEach((label) => head.append(make("th", { textContent: label, scope: "col" })));
		for (const words of ["requests", "packets"])
			charts.append(make("div", {}, make("span", { className: "number" }), chart(`${words} a second at ${server.name}`)));
		fold.addEventListener("click", () => {
			if (!unfolded.delete(server.name))
				unfolded.add(server.name);
			redraw();
		});
		element.open = view.document.virtual_servers.length <= 8 || !server.ready;
		element.addEventListener("toggle", () => element.open && redraw());
		return element;
	}

	function drawServerHead(element, server, shown) {
		const [title, badge, numbers, words] = element.firstElementChild.children;
		const up = server.backends.filter((each) => each.state === "up").length;

		say(title, `${server.name}: ${server.vip.join(", ")} port ${server.ports} ${server.protocol}`);
		badge.className = `badge ${server.ready ? "up" : "down"}`;
		say(badge, server.ready ? "● ready" : "✕ not ready");
		say(numbers, `${up} of ${server.backends.length} up, ${amount(rate(`${server.name} syns`))} requests/s, ${amount(rate(`${server.name} packets`))} packets/s`);
		say(words, server.scheduler + (server.sessionless ? ", sessionless" : "") + (server.minimum > 1 ? `, minimum ${server.minimum}` : "") +
			(server.backups_in_use ? `, ${server.backups_in_use} backups in use` : "") +
			(shown < server.backends.length ? `, ${shown} match the filter` : ""));
	}

	function drawServer(element, server) {
		const [, charts, table, empty] = element.children;
		const all = ordered(server);
		const narrowed = filter.text !== "" || filter.states.size > 0;
		const [, open, fold, folded] = table.children;
		const wells = all.filter((each) => each.backend.state === "up");
		const folds = view.order === "trouble" && !narrowed && wells.length > FOLD_OVER;
		const isOpen = unfolded.has(server.name);

		element.dataset.server = server.name;
		element.hidden = narrowed && all.length === 0;
		table.hidden = server.backends.length === 0;
		empty.hidden = !table.hidden;
		drawServerHead(element, server, all.length);
		if (!element.open || element.hidden)
			return;
		["syns", "packets"].forEach((counter, idx) => {
			const [words, svg] = charts.children[idx].children;

			say(words, `${amount(rate(`${server.name} ${counter}`))} ${counter === "syns" ? "requests (SYNs)" : "packets"}/s`);
			draw(svg, rates(`${server.name} ${counter}`));
		});
		sync(open, folds ? all.filter((each) => each.backend.state !== "up") : all, (each) => each.backend.name, row, drawRow);
		sync(folded, folds && isOpen ? wells : [], (each) => each.backend.name, row, drawRow);
		fold.hidden = !folds;
		say(fold.querySelector("button"), `${isOpen ? "▾" : "▸"} ${wells.length} up`);
		fold.querySelector("button").ariaExpanded = String(isOpen);
	}

	function drawStates(doc) {
		const numbers = new Map(STATES.map((state) => [state, 0]));

		for (const server of doc.virtual_servers)
			for (const backend of server.backends)
				numbers.set(backend.state, (numbers.get(backend.state) ?? 0) + 1);
		sync(byId("states"), STATES.filter((state) => numbers.get(state) || filter.states.has(state)), (state) => state, (state) => {
			const button = make("button", { type: "button", className: state }, make("span", { className: "sign", textContent: SIGNS[state], ariaHidden: "true" }),
				` ${state} `, make("span", { className: "number" }));

			button.addEventListener("click", () => {
				if (!filter.states.delete(state))
					filter.states.add(state);
				redraw();
			});
			return button;
		}, (button, state) => {
			say(button.lastElementChild, numbers.get(state));
			button.setAttribute("aria-pressed", String(filter.states.has(state)));
		});
	}

	const list = (id) => byId(id).querySelector("ul") ?? byId(id).appendChild(make("ul"));

	function drawDrops(doc) {
		const reasons = Object.entries(doc.drops ?? {});
		const some = reasons.filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
		const rest = reasons.length - some.length;

		sync(list("drops"), [...some.map(([reason, n]) => ({ reason, words: `${amount(n)}, ${amount(rate(`drop ${reason}`))}/s` })),
			{ reason: some.length ? `${rest} other reasons` : "nothing, for any reason", words: some.length ? "none" : "" }],
			(item) => item.reason, (item) => make("li", { className: "pair" }, make("span", { textContent: item.reason }), make("span", { className: "number" })),
			(element, item) => say(element.lastElementChild, item.words));
	}

	function drawBelow(doc) {
		const table = doc.flow_table ?? {};

		lines(list("flows"), [`${amount(table.entries ?? 0)} of ${amount(table.capacity ?? 0)} recorded (${percent((table.entries ?? 0) / (table.capacity || 1))})`,
			`${amount(table.evictions ?? 0)} evicted`, "A hash scheduler records only what a moving slot needs; what real servers hold is “established”."]);
		drawDrops(doc);
		lines(list("claims"), doc.claims?.length ? doc.claims.map((claim) =>
			`${claim.vip} by ${claim.mac} (${claim.backend ?? "unknown"}), ${claim.count} times, last ${age(claim.last_s)} ago`) : ["none"]);
		lines(list("refusals"), doc.refusals?.length ? doc.refusals.map((refusal) =>
			`${refusal.address}: ${refusal.words || refusal.reason}, ${refusal.count} times, last ${age(refusal.last_s)} ago`) : ["nobody"]);
		lines(list("others"), doc.balancers?.length ? doc.balancers.map((other) => (other.name ? `${other.name} (${other.address})` : other.address) +
			(other.table_digests_differ?.length ? `: other tables of ${other.table_digests_differ.join(", ")}` : "")) : ["none that our agents serve"]);
	}

	function drawBalancer(doc) {
		const said = problems(doc);

		if (doc.health > 0 && said.length === 0)
			said.push("not for anything that is shown here; the verb “doctor” says what it is");
		verdict(`dsr-lb at ${location.host}`, grade(doc, said), said);
		say(byId("facts"), `${doc.version}, mode ${doc.mode} on ${doc.interface}, ${doc.state ?? (doc.active ? "active" : "not active")}, up ${age(doc.uptime_s)}, configuration ${doc.config_generation}`);
		drawTotals();
		drawStates(doc);
		sync(byId("servers"), doc.virtual_servers, (server) => server.name, serverElement, drawServer);
		drawBelow(doc);
	}

	// ---- an agent ----

	function drawAgent(doc) {
		const well = doc.state === "up";
		const parts = [
			["VIPs", doc.vips, (each) => `${each.present ? "●" : "✕ not here:"} ${each.address}, ${each.established} connections`],
			["Balancers", doc.balancers, (each) => `${SIGNS[each.state] ?? "○"} ${each.address} ${each.state} for ${age(each.since_s)}, heartbeat ${each.last_heartbeat_ms} ms ago`],
			["Checks", doc.checks, (each) => `${SIGNS[each.state] ?? "○"} ${each.name} ${each.state}: ${each.reason}`],
			["ARP", doc.arp, (each) => `${each.ok ? "●" : "✕"} ${each.interface}: arp_ignore ${each.arp_ignore}, arp_announce ${each.arp_announce}`],
			["Listeners", doc.listeners, (each) => `${each.vip} port ${each.port} ${each.protocol}`],
		];

		verdict(`dsr-agent ${doc.name}`, well ? VERDICTS[0] : { name: doc.state, sign: SIGNS[doc.state] ?? "?", words: doc.state }, doc.reason ? [doc.reason] : []);
		say(byId("facts"), `${doc.version}, ${doc.real_ip} on ${doc.interface}, weight ${doc.weight}, up ${age(doc.uptime_s)}`);
		sync(byId("agent"), parts, (part) => part[0], (part) => make("section", {}, make("h2", { textContent: part[0] }), make("ul")),
			(element, [, items, words]) => lines(element.lastElementChild, items?.length ? items.map(words) : ["none"]));
	}

	// ---- events ----

	function event(item) {
		const subject = [item.virtual_server, item.backend ?? item.vip ?? item.interface ?? item.address].filter(Boolean).join("/");
		const change = item.old || item.new ? `: ${item.old ? `${item.old} → ` : ""}${item.new}` : "";
		const words = `${item.event} ${subject}${change}${item.reason ? ` (${item.reason})` : ""}`;
		const time = new Date(item.time);

		byId("event-list").prepend(make("li", {}, make("time", { dateTime: item.time, textContent: time.toLocaleTimeString([], { hour12: false }) }), words));
		while (byId("event-list").children.length > EVENTS)
			byId("event-list").lastElementChild.remove();
	}

	// Where the daemon has no stream of events, what this page saw change itself.
	function notice(doc) {
		const now = new Date().toISOString();

		for (const server of doc.virtual_servers ?? [])
			for (const { name, state, reason } of server.backends) {
				const key = `${server.name}/${name}`, old = known.get(key);

				if (old !== undefined && !view.streams && old !== state)
					event({ time: now, event: "backend", virtual_server: server.name, backend: name, old, new: state, reason });
				known.set(key, state);
			}
	}

	function follow() {
		if (view.stream && view.stream.readyState !== EventSource.CLOSED)
			return;
		view.stream = new EventSource("api/v1/events");
		view.stream.onopen = () => {
			view.streams = true;
			byId("event-list").replaceChildren();
		};
		// The daemon went: events are told again from those that it kept.
		view.stream.onerror = () => { view.streams = false; };
		for (const name of ["message", "backend", "virtual-server", "active", "config", "claim", "refused", "engine", "drift"])
			view.stream.addEventListener(name, ({ data }) => {
				try {
					event(JSON.parse(data));
				} catch {
					// A line that is cut is no event.
				}
			});
	}

	// ---- asking ----

	function redraw() {
		const doc = view.document;

		if (!doc)
			return;
		byId("agent").hidden = !doc.real_ip;
		byId("balancer").hidden = Boolean(doc.real_ip);
		(doc.real_ip ? drawAgent : drawBalancer)(doc);
	}

	function unreachable(error) {
		view.failedSince ||= Date.now();
		document.body.classList.add("stale");
		verdict(byId("name").textContent, { name: "none", sign: "✕", words: "No answer" },
			[`no answer from the daemon for ${age((Date.now() - view.failedSince) / 1000)}: ${error.message}; what is below is old; asking again`]);
	}

	async function ask() {
		const begin = performance.now();

		try {
			const answer = await fetch("api/v1/status", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });

			if (!answer.ok)
				throw new Error(`status ${answer.status}`);
			view.document = await answer.json();
			// Back after an absence: its stream may have ended for good.
			if (view.failedSince || !view.stream)
				follow();
			view.failedSince = 0;
			document.body.classList.remove("stale");
			if (!view.document.real_ip)
				remember(view.document);
			notice(view.document);
			redraw();
		} catch (error) {
			unreachable(error);
		}
		// A daemon that has much to tell is asked less.
		next(view.failedSince ? RETRY_MS : Math.max(INTERVAL_MS, 10 * (performance.now() - begin)));
	}

	function next(delay_ms) {
		clearTimeout(view.timer);
		if (!view.paused && !document.hidden)
			view.timer = setTimeout(ask, delay_ms);
	}

	// ---- what the user does ----

	byId("filter").addEventListener("input", ({ target }) => {
		filter.text = target.value.trim().toLowerCase();
		redraw();
	});
	byId("order").addEventListener("change", ({ target }) => {
		view.order = target.value;
		redraw();
	});
	byId("pause").addEventListener("click", ({ target }) => {
		view.paused = !view.paused;
		target.setAttribute("aria-pressed", String(view.paused));
		next(0);
	});
	byId("tools").addEventListener("submit", (submit) => submit.preventDefault());
	document.addEventListener("keydown", (press) => {
		if (press.key === "/" && !/^(INPUT|SELECT)$/.test(document.activeElement.tagName)) {
			byId("filter").focus();
			press.preventDefault();
		} else if (press.key === "Escape" && document.activeElement === byId("filter")) {
			byId("filter").value = filter.text = "";
			redraw();
		}
	});
	document.addEventListener("visibilitychange", () => next(0));
	ask();
})();
