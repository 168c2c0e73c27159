// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The counters of /live/events as numbers and charts.
 */
"use strict";

const SPAN = 30000;		// ms in the picture
const RATE = 1000;		// ms over which rates are

/* What is told, and what it means.  Bytes are shown as such. */
const COUNTERS = [
	["records", "records taken", "from the rings, by all threads"],
	["produced", "records published", "kernel: written to the rings; less what was taken is in there now"],
	["calls", "kernel entries", "kernel: calls that wait, change or trigger; the records came with these"],
	["waits", "of these, to wait", "kernel: the ring was empty, or something was held back"],
	["ctls", "of these, to change", "kernel: connections are added in batches, timers armed"],
	["sleeps", "sleeps", "kernel: a thread had nothing to do"],
	["left_out", "left out", "kernel: an unread record said the same already"],
	["held_back", "held back", "kernel: had to wait for room in a ring, or for its own records to be read"],
	["fullest", "fullest ring", "records in it, at most, since the last look a quarter of a second ago"],
	["conns", "connections", "open now; your browser's are among them"],
	["accepted", "accepted", "connections ever"],
	["answers", "requests answered", ""],
	["timers", "timers told", "time limits of connections, and the updates of this page"],
	["signals", "signals told", "by a record, with no handler: kill -USR1"],
	["children", "children told", "that have ended: each load is one"],
	["received", "bytes received", "by recv(); in mode stream with the record, by the kernel"],
	["sent", "bytes sent", "from memory; in mode stream by kevent_send(), many in one call"],
	["files", "bytes of files", "by sendfile(); in mode stream by kevent_send() and SENDFILE"],
];
const BYTES = new Set(["received", "sent", "files"]);

const at = (id) => document.getElementById(id);
const events = [];		// the last half minute
let rates, each;
let load;			// the first event of the load that runs
let last = "";			// what the last one was like

function text(name, value) {
	if (!BYTES.has(name) || value < 10000)
		return value.toLocaleString("en");
	const power = Math.min(4, Math.floor(Math.log2(value) / 10));
	const scaled = value / 2 ** (10 * power);
	return `${scaled.toFixed(scaled < 10 ? 1 : 0)} ${["", "Ki", "Mi", "Gi", "Ti"][power]}B`;
}

function show(name, value, shown = text(name, value)) {
	at(name).value = value;
	at(name).textContent = shown;
}

function makeTable() {
	for (const [name, title, meaning] of COUNTERS) {
		const row = at("counters").insertRow();
		const head = document.createElement("th");
		const data = document.createElement("data");

		head.scope = "row";
		head.textContent = title;
		data.id = name;
		data.value = 0;
		data.textContent = "0";
		row.append(head);
		row.insertCell().append(data);
		row.cells[1].className = "n";
		row.insertCell().textContent = meaning;
	}
}

/* The event that is about @ms older than the last one. */
function before(ms) {
	const last = events[events.length - 1];

	return events.findLast((e) => e.ms <= last.ms - ms) || events[0];
}

/* What happened between two events, per second. */
function rate(name, from, to) {
	return to.ms > from.ms ? 1000 * (to[name] - from[name]) / (to.ms - from.ms) : 0;
}

function colour(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function makeCharts() {
	const line = (label) => ({ label, data: [], pointRadius: 0, borderWidth: 2, tension: 0.2 });
	const still = { animation: false, maintainAspectRatio: false, responsive: true };

	if (!window.Chart)
		return;		// the numbers are there all the same
	Chart.defaults.font.family = "system-ui, sans-serif";
	rates = new Chart(at("rates"), {
		type: "line",
		data: { datasets: [line("records"), line("kernel entries")] },
		options: {
			...still, parsing: false, normalized: true,
			scales: {
				x: { type: "linear", min: -SPAN / 1000, max: 0,
				     ticks: { stepSize: 10, callback: (v) => v ? `${-v} s ago` : "now" } },
				y: { beginAtZero: true, suggestedMax: 20, ticks: { precision: 0 } },
			},
		},
	});
	each = new Chart(at("each"), {
		type: "bar",
		data: { labels: [], datasets: [{ label: "connections", data: [] }] },
		options: {
			...still, plugins: { legend: { display: false } },
			scales: {
				x: {},
				y: { beginAtZero: true, suggestedMax: 8, ticks: { precision: 0 } },
			},
		},
	});
	paint();
	matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
}

/* In the colours that the page has now. */
function paint() {
	for (const chart of [rates, each]) {
		for (const scale of Object.values(chart.options.scales)) {
			scale.grid = { color: colour("--line") };
			scale.ticks.color = colour("--quiet");
		}
		chart.options.plugins.legend.labels = { color: colour("--text") };
		chart.data.datasets.forEach((set, i) => {
			set.borderColor = set.backgroundColor = colour(i ? "--two" : "--one");
		});
		chart.update();
	}
}

function draw(event) {
	if (!rates)
		return;
	["records", "calls"].forEach((name, i) => {
		const data = rates.data.datasets[i].data = [];

		events.forEach((e, n) => {
			if (n >= 4)
				data.push({ x: (e.ms - event.ms) / 1000,
					    y: rate(name, events[n - 4], e) });
		});
	});
	rates.update();
	each.data.labels = event.each.map((_, i) => `thread ${i + 1}`);
	each.data.datasets[0].data = event.each;
	each.update();
}

function showState(event) {
	const threads = `${event.threads} thread${event.threads > 1 ? "s" : ""}`;

	if (event.loading) {
		load = load || event;
	} else if (load) {
		const ratio = (event.records - load.records) / (event.calls - load.calls);

		last = ` The load had ${text("answers", event.answers - load.answers)} requests and ${ratio.toFixed(1)} records per kernel entry.`;
		load = null;
	}
	at("state").textContent = load ?
		"64 connections ask for files, for eight seconds." :
		`Idle; mode ${event.mode}, ${threads}.${last}`;
}

function onEvent(message) {
	const event = JSON.parse(message.data);

	event.calls = event.waits + event.ctls + event.triggers;
	if (events.length && event.ms < events[events.length - 1].ms)
		events.length = 0;	// another server
	events.push(event);
	while (events[0].ms < event.ms - SPAN - RATE)
		events.shift();

	for (const [name] of COUNTERS)
		show(name, event[name]);
	at("fullest").textContent = `${event.fullest} of ${event.entries}`;
	const from = before(RATE);
	const calls = event.calls - from.calls;

	show("rate-records", Math.round(rate("records", from, event)));
	show("rate-calls", Math.round(rate("calls", from, event)));
	if (calls) {
		const ratio = (event.records - from.records) / calls;

		show("ratio", ratio, ratio.toFixed(ratio < 10 ? 1 : 0));
	} else if (event.records > from.records) {
		show("ratio", Infinity, "∞");
	}
	at("start").disabled = event.loading;
	showState(event);
	draw(event);
}

async function start() {
	at("start").disabled = true;
	const answer = await fetch("/live/load", { method: "POST" });

	if (!answer.ok && answer.status !== 409)
		at("state").textContent = `no load: ${await answer.text()}`;
}

makeTable();
makeCharts();
at("start").addEventListener("click", start);
const source = new EventSource("/live/events");
source.addEventListener("message", onEvent);
source.addEventListener("error", () => { at("state").textContent = "the server does not answer"; });
