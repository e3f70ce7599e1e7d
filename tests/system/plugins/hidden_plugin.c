/* Lies where only the RUNPATH of caller_plugin leads. */
int hidden_answer(void) { return 42; }
