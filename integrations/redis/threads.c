// SPDX-License-Identifier: GPL-2.0
/*
 * threads - a module of redis, the thread of which uses the event loop while it waits
 *
 *	THREADS.VICTIM		have the thread kill this client
 *	THREADS.START KILLS	start it; it ends when it has killed so many
 *	THREADS.RESULT		"running", "done ..." or what went wrong
 *
 * A round of the thread, with the lock of redis, which it gets as the main thread gives
 * it up to wait: kill a client; add the read ends of pipes that have a byte, one after it
 * was another file's; add what cannot be watched.  Then without the lock: the handlers
 * are to be called for each byte, whatever else happens.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "redismodule.h"

#define PIPES		4
#define VICTIMS		64
#define TOO_LONG	120	/* seconds, for a handler to be called */

static struct tested_pipe {
	int		end[2];
	bool		added;
	unsigned int	heard;
} pipes[PIPES];

/* The lock of redis is taken before this one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t heard = PTHREAD_COND_INITIALIZER;
static unsigned long long victims[VICTIMS];
static unsigned int nr_victims;
static long long kills, wanted, rounds;
static bool running;
static char wrong[256];

#define CHECK(what) \
do { \
	if (!(what) && !wrong[0]) \
		snprintf(wrong, sizeof(wrong), "round %lld: %s, errno %d", rounds, #what, errno); \
} while (0)

static void hear(int fd, void *data, int mask)
{
	struct tested_pipe *pipe = data;
	char c;

	(void)mask;
	pthread_mutex_lock(&lock);
	CHECK(pipe->added && fd == pipe->end[0]);
	while (read(fd, &c, 1) == 1)
		pipe->heard++;
	pthread_cond_signal(&heard);
	pthread_mutex_unlock(&lock);
}

static void add(struct tested_pipe *pipe)
{
	CHECK(!pipe2(pipe->end, O_NONBLOCK | O_CLOEXEC));
	pipe->heard = 0;
	pipe->added = true;
	CHECK(RedisModule_EventLoopAdd(pipe->end[0], REDISMODULE_EVENTLOOP_READABLE, hear,
				       pipe) == REDISMODULE_OK);
}

static void del(struct tested_pipe *pipe)
{
	CHECK(RedisModule_EventLoopDel(pipe->end[0], REDISMODULE_EVENTLOOP_READABLE) ==
	      REDISMODULE_OK);
	pipe->added = false;
	close(pipe->end[0]);
	close(pipe->end[1]);
}

static void call(RedisModuleCtx *ctx, const char *what, const char *how, const char *arg)
{
	RedisModuleCallReply *reply = RedisModule_Call(ctx, what, "cc", how, arg);

	CHECK(reply && RedisModule_CallReplyType(reply) != REDISMODULE_REPLY_ERROR);
	if (reply)
		RedisModule_FreeCallReply(reply);
}

static void kill_one(RedisModuleCtx *ctx)
{
	RedisModuleCallReply *reply;

	if (!nr_victims)
		return;
	reply = RedisModule_Call(ctx, "CLIENT", "ccl", "KILL", "ID",
				 (long long)victims[--nr_victims]);
	CHECK(reply && RedisModule_CallReplyInteger(reply) == 1);
	if (reply)
		RedisModule_FreeCallReply(reply);
	kills++;
}

static void act(RedisModuleCtx *ctx)
{
	int i, fd;

	kill_one(ctx);
	/* It has no connection. */
	call(ctx, "SCRIPT", "DEBUG", "SYNC");
	call(ctx, "SCRIPT", "DEBUG", "NO");
	for (i = 0; i < PIPES; i++)
		add(pipes + i);
	/* Told perhaps, and not to be: the number is another pipe's. */
	CHECK(write(pipes[0].end[1], "x", 1) == 1);
	fd = pipes[0].end[0];
	del(pipes);
	CHECK(RedisModule_EventLoopAdd(fd, REDISMODULE_EVENTLOOP_READABLE, hear, pipes) ==
	      REDISMODULE_ERR && errno == EBADF);
	add(pipes);
	CHECK(pipes[0].end[0] == fd);
	for (i = 0; i < PIPES; i++)
		CHECK(write(pipes[i].end[1], "x", 1) == 1);
	fd = open("/", O_RDONLY | O_CLOEXEC);
	CHECK(RedisModule_EventLoopAdd(fd, REDISMODULE_EVENTLOOP_READABLE, hear, NULL) ==
	      REDISMODULE_ERR && errno == EPERM);
	close(fd);
}

static bool all_heard(void)
{
	int i;

	for (i = 0; i < PIPES; i++)
		if (pipes[i].heard != 1)
			return false;
	return true;
}

static void *run(void *arg)
{
	RedisModuleCtx *ctx = arg;
	struct timespec end;
	int i, ret;

	do {
		RedisModule_ThreadSafeContextLock(ctx);
		pthread_mutex_lock(&lock);
		rounds++;
		act(ctx);
		pthread_mutex_unlock(&lock);
		RedisModule_ThreadSafeContextUnlock(ctx);

		clock_gettime(CLOCK_REALTIME, &end);
		end.tv_sec += TOO_LONG;
		pthread_mutex_lock(&lock);
		for (ret = 0; !all_heard() && !wrong[0] && !ret; )
			ret = pthread_cond_timedwait(&heard, &lock, &end);
		CHECK(!ret);
		pthread_mutex_unlock(&lock);

		RedisModule_ThreadSafeContextLock(ctx);
		pthread_mutex_lock(&lock);
		for (i = 0; i < PIPES; i++)
			del(pipes + i);
		running = kills < wanted && !wrong[0];
		pthread_mutex_unlock(&lock);
		RedisModule_ThreadSafeContextUnlock(ctx);
	} while (running);
	return NULL;
}

static int victim(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	(void)argv;
	(void)argc;
	pthread_mutex_lock(&lock);
	CHECK(nr_victims < VICTIMS);
	if (nr_victims < VICTIMS)
		victims[nr_victims++] = RedisModule_GetClientId(ctx);
	pthread_mutex_unlock(&lock);
	return RedisModule_ReplyWithSimpleString(ctx, "OK");
}

static int start(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	pthread_t thread;

	if (argc != 2 || running ||
	    RedisModule_StringToLongLong(argv[1], &wanted) != REDISMODULE_OK)
		return RedisModule_ReplyWithError(ctx, "ERR not that");
	kills = 0;
	running = true;
	if (pthread_create(&thread, NULL, run, RedisModule_GetDetachedThreadSafeContext(ctx)))
		return RedisModule_ReplyWithError(ctx, "ERR no thread");
	pthread_detach(thread);
	return RedisModule_ReplyWithSimpleString(ctx, "OK");
}

static int result(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	char text[64];

	(void)argv;
	(void)argc;
	if (wrong[0])
		return RedisModule_ReplyWithSimpleString(ctx, wrong);
	snprintf(text, sizeof(text), running ? "running" : "done %lld", kills);
	return RedisModule_ReplyWithSimpleString(ctx, text);
}

int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc);

int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
	static const struct {
		const char		*name;
		RedisModuleCmdFunc	func;
	} commands[] = {
		{ "threads.victim", victim },
		{ "threads.start", start },
		{ "threads.result", result },
	};
	unsigned int i;

	(void)argv;
	(void)argc;
	if (RedisModule_Init(ctx, "threads", 1, REDISMODULE_APIVER_1) != REDISMODULE_OK)
		return REDISMODULE_ERR;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (RedisModule_CreateCommand(ctx, commands[i].name, commands[i].func, "", 0,
					      0, 0) != REDISMODULE_OK)
			return REDISMODULE_ERR;
	return REDISMODULE_OK;
}
