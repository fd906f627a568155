"""stub"""
def write_table(run_set, finished, objective):
    print("TABLE")
