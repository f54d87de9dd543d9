/*
 * Preloaded into a QEMU of the two hosts: makes wide the moment of switch-over in which an abort is lost.
 *
 * QEMU's migration thread first takes what is left in its pause semaphore (a wait of one millisecond), then looks whether
 * the migration is cancelled, lets go of the big lock, notes that it pauses, and waits for libvirt. An abort that comes
 *   before it lets go is answered only after the note: HOLD=before waits there, and then has the main loop dawdle so that
 *   the guest runs again before libvirt's next question is answered;
 *   after it let go comes before the note, and the thread waits for ever: HOLD=after waits there.
 * Either waits until the file HOLD_UNTIL is there. A QEMU that does this in another order is only slowed down a little.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STEP_US = 10 * 1000, MOST_STEPS = 6000, LONGEST_NS = 3 * 1000 * 1000, DAWDLE_US = 20 * 1000 };

static __thread int unlocks; /* until the big lock is let go of */
static volatile int dawdle; /* how often the main loop still does */

static int migrating(void)
{
	char name[16] = "";
	pthread_getname_np(pthread_self(), name, sizeof name);
	return !strcmp(name, "live_migration") || !strncmp(name, "mig/src/main", 12);
}

static int asked(const char *where)
{
	const char *hold = getenv("HOLD");
	return hold && !strcmp(hold, where);
}

static void hold(void)
{
	const char *file = getenv("HOLD_UNTIL");

	for (int step = 0; file && access(file, F_OK) && step < MOST_STEPS; step++)
		usleep(STEP_US);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
	struct timespec now;
	long left;
	int result;

	if (!real)
		real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
	/* Builds of QEMU differ in the clock they measure by: a machine is not up since 1970. */
	clock_gettime(until->tv_sec > 1000000000 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
	left = (until->tv_sec - now.tv_sec) * 1000000000L + until->tv_nsec - now.tv_nsec;
	result = real(cond, mutex, until);
	if (left < LONGEST_NS && migrating()) {
		if (asked("before")) {
			hold();
			dawdle = 50;
		} else if (asked("after"))
			unlocks = 2; /* the semaphore's own, then the big one */
	}
	return result;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	static int (*real)(pthread_mutex_t *);
	int result;

	if (!real)
		real = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
	result = real(mutex);
	if (unlocks && --unlocks == 0)
		hold();
	if (dawdle > 0 && gettid() == getpid()) {
		dawdle--;
		usleep(DAWDLE_US);
	}
	return result;
}
