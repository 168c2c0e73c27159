// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's header and the library in the languages that programs are written
 * in, each compiled with -pedantic-errors (see the Makefile).
 */
#include "kevent_test.h"

__u64 header_c90(void);
__u64 header_cxx98(void);
int library_c99(void);
int library_c11(void);
int library_c17(void);
int library_cxx98(void);
int library_cxx11(void);
int library_cxx14(void);
int library_cxx17(void);
int library_cxx20(void);

TEST(header)
{
	EXPECT_NE(0ULL, header_c90());
	EXPECT_EQ(header_c90(), header_cxx98());
}

TEST(library)
{
	EXPECT_EQ(0, library_c99());
	EXPECT_EQ(0, library_c11());
	EXPECT_EQ(0, library_c17());
	EXPECT_EQ(0, library_cxx98());
	EXPECT_EQ(0, library_cxx11());
	EXPECT_EQ(0, library_cxx14());
	EXPECT_EQ(0, library_cxx17());
	EXPECT_EQ(0, library_cxx20());
}

TEST_HARNESS_MAIN
