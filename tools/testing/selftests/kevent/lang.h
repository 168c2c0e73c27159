/* SPDX-License-Identifier: GPL-2.0 */
/* What lang_header.c and lang_library.c offer, compiled once for each language. */
#ifndef LANG_H
#define LANG_H

#define LANG_NAME2(what, lang)	what ## _ ## lang
#define LANG_NAME1(what, lang)	LANG_NAME2(what, lang)
#define LANG_NAME(what)		LANG_NAME1(what, LANG)

#ifdef __cplusplus
#define LANG_EXPORT		extern "C"
#else
#define LANG_EXPORT
#endif

#endif
