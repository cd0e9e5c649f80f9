/*
 * An app in C: counts how often it was wanted, and keeps the number when it leaves the screen.
 *
 *   cc -Wall -o counter counter.c $(pkg-config --cflags --libs libsystemd)      (Debian: libsystemd-dev, pkg-config)
 *
 * The bus of an app is a session bus, so any library of D-Bus will do; this is sd-bus, which every Debian device has
 * with libsystemd0. What the words mean is told in docs/apps.md, the interface in api/org.ensemble.App1.xml.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#define NAME "org.ensemble.App"
#define PATH "/org/ensemble/App"
#define INTERFACE "org.ensemble.App1"

static uint32_t count;
static int ended;

/* Ends with a message when a call of the library did not work. */
static void check(int r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "counter: %s: %s\n", what, strerror(-r));
		exit(1);
	}
}

/* Attaches: from now on we are told of our life. The answer, an a{sv}, has what we saved the last time under `state`. */
static void attach(sd_bus *bus)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *launch = NULL;
	const char *key;
	const void *state;
	size_t size;

	check(sd_bus_call_method(bus, NAME, PATH, INTERFACE, "Attach", &error, &launch, ""), "attaching");
	check(sd_bus_message_enter_container(launch, 'a', "{sv}"), "reading the answer");
	while (sd_bus_message_enter_container(launch, 'e', "sv") > 0) {
		check(sd_bus_message_read(launch, "s", &key), "reading a key");
		if (strcmp(key, "state") == 0) {
			check(sd_bus_message_enter_container(launch, 'v', "ay"), "reading the state");
			check(sd_bus_message_read_array(launch, 'y', &state, &size), "reading the state");
			if (size == sizeof count)
				memcpy(&count, state, sizeof count);
			check(sd_bus_message_exit_container(launch), "reading the state");
		} else {
			check(sd_bus_message_skip(launch, "v"), "reading a value");
		}
		check(sd_bus_message_exit_container(launch), "reading the answer");
	}
	sd_bus_message_unref(launch);
	sd_bus_error_free(&error);
}

/* Answers the signal that had this token. The state counts with `background` alone. */
static int done(sd_bus *bus, uint32_t token, const void *state, size_t size)
{
	sd_bus_message *call = NULL;
	int r;

	if (token == 0)
		return 0;
	r = sd_bus_message_new_method_call(bus, &call, NAME, PATH, INTERFACE, "Done");
	if (r >= 0)
		r = sd_bus_message_append(call, "u", token);
	if (r >= 0)
		r = sd_bus_message_append_array(call, 'y', state, size);
	if (r >= 0)
		r = sd_bus_call(bus, call, 0, NULL, NULL);
	sd_bus_message_unref(call);
	return r;
}

/* Something happens to us: the event, its token, a want. */
static int happens(sd_bus_message *signal, void *data, sd_bus_error *error)
{
	sd_bus *bus = sd_bus_message_get_bus(signal);
	const char *event;
	uint32_t token;

	(void)data;
	(void)error;
	check(sd_bus_message_read(signal, "su", &event, &token), "reading a signal");
	printf("counter: %s\n", event);
	if (strcmp(event, "want") == 0)
		printf("counter: %u times\n", ++count);
	if (strcmp(event, "background") == 0)
		return done(bus, token, &count, sizeof count);
	if (strcmp(event, "terminate") == 0)
		ended = 1;
	return done(bus, token, NULL, 0);
}

int main(void)
{
	sd_bus *bus = NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(sd_bus_open_user(&bus), "looking for the bus: `ensctl ability start` runs apps");
	check(sd_bus_match_signal(bus, NULL, NULL, PATH, INTERFACE, "Lifecycle", happens, NULL), "listening");
	attach(bus);
	printf("counter: %u times\n", ++count);
	while (!ended) {
		int r = sd_bus_process(bus, NULL);

		check(r, "the device went away");
		if (r == 0)
			check(sd_bus_wait(bus, UINT64_MAX), "waiting");
	}
	sd_bus_flush_close_unref(bus);
	return 0;
}
