/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A load on the server, by a child of it.
 */
#ifndef LOAD_H
#define LOAD_H

int load_start(const char *addr, int port);
int load_reap(int pidfd);
int load_main(const char *addr, const char *port);

#endif /* LOAD_H */
