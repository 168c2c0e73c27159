/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * file.h - what D13 and D14 have in common: files on a disk of this machine
 */
#ifndef BENCH_FILE_H
#define BENCH_FILE_H

#include <sys/types.h>

/* The file that is sent. */
extern int file;
extern off_t file_size;

/* What is left to send on the connection of that descriptor. */
extern off_t *file_left;

/*
 * Makes that a file of so many bytes on the disk, or in memory.  Neither is read, but
 * for what the kernel needs to know where it is.
 */
void file_on_disk(off_t size);
void file_in_memory(off_t size);

/* In memory, pages that follow each other being no neighbours there. */
void file_scattered(off_t size);

/* Receives a request, if there is one. */
bool file_request(int fd);

/* Receives a request, or goes on with the last one, by sendfile(2). */
void file_serve(int fd);

/* A queue that sends files; flags: KEVENT_CREATE_DATA or 0 */
void file_queue(struct bench *b, uint32_t flags);

/* Registers a connection for requests, and for room with @events. */
void file_add_socket(struct bench *b, int fd, uint32_t events);

/* Has the file sent on a connection, from there on, by the next wait with the changes. */
void file_prepare_add(struct kevent_change *change, int fd, off_t from);

/* Is that all of what was to be sent? */
void file_check_end(const struct ukevent *record);

/* ---- io_uring: two linked splices, through a pipe of each connection ---- */

/* User data is the number of the connection, and so many times all of them. */
#define FILE_REQUEST	0
#define FILE_READ	1
#define FILE_SENT	2

void file_make_pipes(struct bench *b);
void file_splice(struct bench *b, unsigned int connection);

#endif /* BENCH_FILE_H */
