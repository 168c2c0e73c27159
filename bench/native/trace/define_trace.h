/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* nothing: kernel/kevent/trace.h includes this outside of its guard */
