/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * ukevent_text.h - names of what is in changes and records, and what errors mean
 *
 * For messages and logs.  Not in line: link libkevent, or ukevent_text.c.
 *
 * C99, C11 and C++, with or without extensions.
 */
#ifndef _UKEVENT_TEXT_H
#define _UKEVENT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <linux/kevent.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where an error comes from, for ukevent_strerror(). */
#define UKEVENT_CREATE	1	/* kevent_create(), ukevent_queue_init() ... */
#define UKEVENT_CTL	2	/* kevent_ctl() as a whole */
#define UKEVENT_WAIT	3	/* kevent_wait(), kevent_get_events(), ukevent_turn() ... */
#define UKEVENT_SEND	4	/* kevent_send() as a whole, beside those of the wait */
#define UKEVENT_MMAP	5	/* mmap(2) of a queue */

/**
 * ukevent_type_name - "SOCKET" for %KEVENT_TYPE_SOCKET
 * @type: the type
 *
 * Return: its name, "?" if it has none here.
 */
const char *ukevent_type_name(unsigned int type);

/**
 * ukevent_op_name - "ADD" for %KEVENT_OP_ADD
 * @op: the operation
 *
 * Return: its name, "?" if it has none here.
 */
const char *ukevent_op_name(unsigned int op);

/**
 * ukevent_event_names - "RECV|RDHUP" for events of a socket
 * @buf: receives the names, as snprintf() does
 * @size: room in @buf
 * @type: type of the interest
 * @events: the events; bits without a name are told in hexadecimal, none as "0"
 *
 * Return: the length of all names; they are cut off if that is not below @size.
 */
int ukevent_event_names(char *buf, size_t size, unsigned int type, uint32_t events);

/**
 * ukevent_change_flag_names - "EDGE|WANT_LAST", as ukevent_event_names()
 * @buf: receives the names
 * @size: room in @buf
 * @flags: flags of a change
 *
 * Return: the length of all names.
 */
int ukevent_change_flag_names(char *buf, size_t size, uint32_t flags);

/**
 * ukevent_record_flag_names - "LAST|HINT", as ukevent_event_names()
 * @buf: receives the names
 * @size: room in @buf
 * @flags: flags of a record
 *
 * Return: the length of all names.
 */
int ukevent_record_flag_names(char *buf, size_t size, uint32_t flags);

/**
 * ukevent_strerror - what an error of a call means
 * @where: %UKEVENT_CREATE and so on
 * @error: the error number, negative as the functions return it, or positive
 *
 * Return: a text, that of strerror() for errors that kevent gives no meaning of its own.
 */
const char *ukevent_strerror(unsigned int where, int error);

/**
 * ukevent_change_error - what the result of a change means
 * @change: the change
 *
 * Return: a text, as ukevent_strerror().
 */
const char *ukevent_change_error(const struct kevent_change *change);

/**
 * ukevent_send_error - what the result of a send means
 * @send: the send
 *
 * Return: a text, as ukevent_strerror().
 */
const char *ukevent_send_error(const struct kevent_send *send);

#ifdef __cplusplus
}
#endif

#endif /* _UKEVENT_TEXT_H */
