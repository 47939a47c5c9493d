"""How many examples a property is shown with."""

from hypothesis import HealthCheck, settings

# No deadline: a busy machine is no failure. Fixtures of a test are shared by its examples on purpose.
some = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
few = settings(some, max_examples=15)
