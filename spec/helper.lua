-- Loaded before every spec. busted loads modules anew for each file, and luv does not bear that:
-- the loop of a forgotten copy is closed under the handles of the next. Loaded here, it stays.
pcall(require, "luv")
