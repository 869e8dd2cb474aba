-- One opt-out as an application would keep it: a person, a topic, when; told twice is told once.
\set person random(1, 1000000000000)
INSERT INTO optout (person, topic) VALUES (:person, 1) ON CONFLICT DO NOTHING;
