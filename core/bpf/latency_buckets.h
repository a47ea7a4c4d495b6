/* The histograms' buckets; shared by the program that fills them and its loader. */
#pragma once

/* Eight buckets per power of two nanoseconds: each is within 12.5 % of what it holds. */
#define PWALK_BUCKET_BITS 3
#define PWALK_BUCKETS ((64 - PWALK_BUCKET_BITS + 1) << PWALK_BUCKET_BITS)

/* Kinds of system call, in this order in the histograms. */
enum pwalk_call { PWALK_CALL_OPEN, PWALK_CALL_GETDENTS, PWALK_CALL_STAT, PWALK_CALLS };
