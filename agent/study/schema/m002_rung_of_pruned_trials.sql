-- where it was stopped; its `score` is the validation loss there
ALTER TABLE trials ADD COLUMN rung TEXT
    CHECK ((rung IS NOT NULL) = (state = 'PRUNED') AND (rung IS NULL OR json_valid(rung)));
