/*
 * Preloaded into a pvm: each write that has to reach the disk takes SLOW_MS longer, as on a disk that is busy or stalls.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static int slowly(const char *call, int file)
{
	int (*real)(int) = dlsym(RTLD_NEXT, call);
	const char *delay = getenv("SLOW_MS");
	int result = real(file);

	if (delay)
		usleep(1000 * atoi(delay));
	return result;
}

int fdatasync(int file)
{
	return slowly("fdatasync", file);
}

int fsync(int file)
{
	return slowly("fsync", file);
}
