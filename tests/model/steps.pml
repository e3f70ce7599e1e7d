/* The steps of the protocol. Each is part of an atomic step of its caller. `me` is the thread, `home`
 * its heap; the other names are those of the worker in remote_free.pml. */

inline see(n, what) { if :: what > seen(n) -> seen(n) = what :: else fi }

/* An acquiring read: any value that is not older than what was seen. */
inline read_owner(n, result) {
  do
  :: seen(n) < newest[n] -> seen(n)++
  :: break
  od;
  if :: seen(n) < newest[n] -> here(STALE) :: else fi;
  result = owners[n * CHANGES + seen(n)]
}

/* Under the doors of the old and the new owner. */
inline write_owner(n, who) {
  assert(newest[n] + 1 < CHANGES);
  newest[n]++;
  owners[n * CHANGES + newest[n]] = who;
  seen(n) = newest[n]
}

/* A read-modify-write of the summary: acquire and release. */
inline change_summary(n, before, after) {
  before = summary[n];
  summary[n] = after;
#ifndef MUTATE_RELAXED_SUMMARY
  see(n, summary_view[n]);
  summary_view[n] = seen(n)
#endif
}

inline enter_door(x) {
  door[x] = me;
  see(0, door_view[x * SLABS]);
  see(1, door_view[x * SLABS + 1])
}

inline leave_door(x) {
  assert(door[x] == me);
  door_view[x * SLABS] = seen(0);
  door_view[x * SLABS + 1] = seen(1);
  door[x] = 0
}

/* Local state of a slab: whoever works on it is alone. */
inline begin(n) { assert(busy[n] == 0); busy[n] = me }
inline end(n) { assert(busy[n] == me); busy[n] = 0 }

/* One step: the compare-and-swap succeeds only if the head is the one that was written to the link,
 * and nobody reads the link before. */
inline push(n, x, class) {
  assert(x != 0);
  assert(!listed[n]);  /* no slab is on two lists, nor twice on one */
  listed[n] = 1;
  link[n] = pending[list(x, class)];
  pending[list(x, class)] = n + 1
}

/* The step before, but for the mutation. */
inline count(x) {
#ifdef MUTATE_COUNT_LAST
  skip
#else
  waiting[x]++
#endif
}

inline take_list(l) { taken[l] = pending[l]; pending[l] = 0 }

/* A slab of one of the lists that were taken: in their order, but for an owner that needs one class. */
inline take_off(x) {
  if
  :: taken[list(x, 0)] != 0 -> c = 0
  :: taken[list(x, 1)] != 0 && (doing == MALLOC || taken[list(x, 0)] == 0) -> c = 1
  fi;
  d = taken[list(x, c)] - 1;
  waiting[x]--;
  listed[d] = 0
}

inline collect(n, i) {
  if
  :: m & (1 << i) ->
     assert((bitmap[n * 2 + i] & words[n * 2 + i]) == 0);  /* freed twice */
     assert((live[n * 2 + i] & words[n * 2 + i]) == 0);    /* it is with the program */
     bitmap[n * 2 + i] = bitmap[n * 2 + i] | words[n * 2 + i];
     words[n * 2 + i] = 0
  :: else
  fi
}

inline release_if_empty(n) {
  if
  :: is_empty(n) ->
     bitmap[n * 2] = 0;
     bitmap[n * 2 + 1] = 0;
     assert(live[n * 2] == 0 && live[n * 2 + 1] == 0);
     write_owner(n, 0)
  :: 1  /* some empty slabs are kept */
  fi
}

/* Gives all free objects of the slab to the program. */
inline take_from(n) {
  begin(n);
  assert((live[n * 2] & bitmap[n * 2]) == 0);  /* handed out twice */
  assert((live[n * 2 + 1] & bitmap[n * 2 + 1]) == 0);
  assert((words[n * 2] & bitmap[n * 2]) == 0);  /* or free twice */
  assert((words[n * 2 + 1] & bitmap[n * 2 + 1]) == 0);
  live[n * 2] = live[n * 2] | bitmap[n * 2];
  live[n * 2 + 1] = live[n * 2 + 1] | bitmap[n * 2 + 1];
  bitmap[n * 2] = 0;
  bitmap[n * 2 + 1] = 0;
  end(n)
}

inline carve(n) {
  assert(words[n * 2] == 0 && words[n * 2 + 1] == 0);
  if :: summary[n] != 0 -> here(RECARVED) :: else fi;
#ifdef MUTATE_CARVE_RESETS_SUMMARY
  summary[n] = 0;
#endif
  small[n] = (home != 1);
  bitmap[n * 2] = objects(n, 0);
  bitmap[n * 2 + 1] = objects(n, 1);
  write_owner(n, home);
  birth[n] = newest[n];
  calls[n] = 0
}

#define in_use(n) (owner_now(n) == home && calls[n] != 0)

inline close(n) {
  begin(n);
  if :: words[n * 2] != 0 || words[n * 2 + 1] != 0 -> here(CLOSED) :: else fi;
#ifndef MUTATE_CLOSE_KEEPS_WORDS
  words[n * 2] = 0;
  words[n * 2 + 1] = 0;
#endif
  bitmap[n * 2] = 0;
  bitmap[n * 2 + 1] = 0;
  write_owner(n, 0);
  end(n)
}

inline give_up(n) {
  if :: owner_now(n) == home -> live[n * 2] = 0; live[n * 2 + 1] = 0 :: else fi
}

#define may_adopt_from(x) (x != home && parked[x] && door[x] == 0)

inline adopt(n) {
  here(ADOPTED);
  if :: owner_now(n) != 1 -> here(ADOPTED_ON) :: else fi;
  begin(n);
  write_owner(n, home);
  end(n)
}

/* Closing a heap needs to know of frees in progress; the other scenarios are smaller without. */
#if SCENARIO == CLOSE
#define call(n, by) calls[n] = calls[n] + by
#else
#define call(n, by) skip
#endif

inline pick(slab, word, bits) {
  (live[slab * 2 + word] & bits) == bits ->
  live[slab * 2 + word] = live[slab * 2 + word] & (7 - bits);
  s = slab; w = word; mask = bits; c = small[slab]; born = birth[slab]; call(slab, 1);
#if SCENARIO == FORK
  flying[(me * SLABS + slab) * 2 + word] = bits;
#endif
  see(slab, birth[slab])
}

/* Takes some objects of one word from the program. */
inline pick_live() {
  frees--;
  if
  :: pick(0, 0, 1) :: pick(0, 0, 2) :: pick(0, 0, 3) :: pick(0, 1, 1)
  :: pick(1, 0, 1) :: pick(1, 0, 2) :: pick(1, 0, 3) :: pick(1, 1, 1)
  fi
}

inline landed() {
#if SCENARIO == FORK
  flying[(me * SLABS + s) * 2 + w] = 0
#else
  skip
#endif
}

inline freed() {
  if :: born == birth[s] -> call(s, -1) :: else fi;
  born = 0;
  s = 0; w = 0; mask = 0; c = 0; o = 0; old = 0;
  if :: inside -> inside = 0; leave_door(home) :: else fi
}

inline or_words() {
  assert((words[s * 2 + w] & mask) == 0);  /* else the code reports a double free */
  words[s * 2 + w] = words[s * 2 + w] | mask
}

inline or_summary() {
  change_summary(s, old, summary[s] | (1 << w));
#if SCENARIO == FORK
  if :: old != 0 -> flying[(me * SLABS + s) * 2 + w] = 0 :: else fi
#endif
}

#if SCENARIO == FORK
inline dies(t, n) {
  excused[n * 2] = excused[n * 2] | flying[(t * SLABS + n) * 2];
  excused[n * 2 + 1] = excused[n * 2 + 1] | flying[(t * SLABS + n) * 2 + 1]
}

/* The child makes the lists anew: the summary says what belongs there. */
inline relist(n) {
  if
  :: owner_now(n) == 0 -> summary[n] = 0
  :: owner_now(n) != 0 && summary[n] != 0 ->
     waiting[owner_now(n)]++;
     push(n, owner_now(n), small[n])
  :: else
  fi
}

inline fork_child() {
  forked = me;
  dies(1, 0); dies(1, 1); dies(3, 0); dies(3, 1);
  parked[1] = 1
#ifndef MUTATE_FORK_KEEPS_LISTS
  ; h = 1;
  do
  :: h > HEAPS -> break
  :: else ->
     pending[list(h, 0)] = 0; pending[list(h, 1)] = 0;
     taken[list(h, 0)] = 0; taken[list(h, 1)] = 0;
     waiting[h] = 0;
     h++
  od;
  h = 0;
  listed[0] = 0; listed[1] = 0;
  relist(0); relist(1)
#endif
}

#define while_alive provided (forked == 0 || forked == _pid)
#else
#define while_alive
#endif
