/** Entry of the jobs page. */
